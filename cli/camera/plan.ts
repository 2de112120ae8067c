import { statSync } from 'node:fs';
import { claimCamera } from '../../agent/camera/camera-claim.ts';
import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { CameraState } from '../../agent/camera/camera-state.ts';
import { loadDeviceKey } from '../../agent/camera/device-key.ts';
import type { CapturePlan } from '../../agent/capture/plan.ts';
import { readPairing } from '../../agent/pairing/pairing-file.ts';
import { systemDisk } from '../../host/disk.ts';

/** What capture is to do, by the camera's configuration; whether it may record sound, the agent says with each run. */
export interface CameraPlan {
  readonly camera: string;
  readonly origin: string;
  readonly capture: CapturePlan;
}

/**
 * Reads what has to be whole for the agent to run, so that it is refused before anything is started.
 * @throws CameraError, CryptoError, HostError as reading configuration, key, pairing and state does.
 */
export async function planCamera(dir: string): Promise<CameraPlan> {
  const directory = new CameraDirectory(dir);
  const { server, source, lan, audio } = directory.readConfig();
  const { camera } = await loadDeviceKey(directory);
  warnOfReaders(directory.deviceKey);
  await readPairing(directory, systemDisk);
  new CameraState(directory, systemDisk);
  return { camera, origin: server.origin, capture: { source, lan, audio } };
}

/** Claims a camera's directory for a launcher that may not write in it itself. The claim ends with the launcher. */
export async function claimFor(dir: string, launcher: string): Promise<void> {
  await claimCamera(new CameraDirectory(dir), systemDisk, launcher);
}

function warnOfReaders(path: string): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  console.error(`oriel: warning: ${path} can be read by others; mend it with: chmod 600 ${path}`);
}
