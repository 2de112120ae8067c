import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const UNIT = 'oriel-camera.service';

/**
 * How the camera in a directory is started on this machine: by its unit where one is installed for that directory, since a
 * second launcher beside it would end as CAMERA_RUNNING.
 * @param etc the machine's /etc.
 */
export function startCommand(directory: string, etc = '/etc'): string {
  return isUnitFor(directory, join(etc, 'systemd/system', UNIT))
    ? `systemctl start ${UNIT}`
    : `oriel camera run ${directory}`;
}

function isUnitFor(directory: string, unit: string): boolean {
  if (!existsSync(unit)) return false;
  const line = /^ExecStart=.*$/m.exec(readFileSync(unit, 'utf8'))?.[0] ?? '';
  return line.split(/\s+/).includes(resolve(directory));
}
