import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startCommand } from '../../agent/health/camera-view.ts';

const UNITS = resolve(import.meta.dirname, '../../deploy/systemd');

test('[FC-60] where the unit is installed for a camera, the unit starts it; any other is run by hand', () => {
  const etc = mkdtempSync(join(tmpdir(), 'oriel-etc-'));
  try {
    expect(startCommand('/var/lib/oriel-camera', etc)).toBe('oriel camera run /var/lib/oriel-camera');
    mkdirSync(join(etc, 'systemd/system'), { recursive: true });
    cpSync(join(UNITS, 'oriel-camera.service'), join(etc, 'systemd/system/oriel-camera.service'));
    expect(startCommand('/var/lib/oriel-camera', etc)).toBe('systemctl start oriel-camera.service');
    expect(startCommand('/var/lib/oriel-camera/', etc)).toBe('systemctl start oriel-camera.service');
    expect(startCommand('./cam', etc)).toBe('oriel camera run ./cam');
  } finally {
    rmSync(etc, { recursive: true });
  }
});
