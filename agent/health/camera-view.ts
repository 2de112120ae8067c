import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isRunning } from '../../host/processes.ts';
import { type CaptureState, readCaptureState } from '../capture/status-file.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { readStatus } from '../status/status.ts';
import type { CameraView } from './condition.ts';

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

/** What a camera's files say, and what the agent's clock said when it wrote. @throws CameraError when there is neither camera nor status. */
export function viewOf(dir: string): CameraView & { readonly agentAt: number } {
  const directory = new CameraDirectory(dir);
  const agent = readStatus(directory.status);
  if (agent === undefined) directory.readConfig();
  return {
    directory: dir,
    start: startCommand(dir),
    agent,
    agentRuns: agent !== undefined && isRunning(agent.pid),
    silentMs: statusAgeMs(directory),
    capture: captureState(directory),
    agentAt: agent?.at ?? 0,
  };
}

/** How long ago the status was written. */
export function statusAgeMs({ status }: CameraDirectory): number {
  const writtenAt = statSync(status, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Math.max(0, Date.now() - writtenAt);
}

/** What another user, whom nobody has to believe, may have written there is not worth failing for. */
export function captureState({ captureRun }: CameraDirectory): CaptureState | undefined {
  try {
    return readCaptureState(captureRun) ?? undefined;
  } catch {
    return undefined;
  }
}
