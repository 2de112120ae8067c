import { statSync } from 'node:fs';
import type { CaptureConfig } from '../../agent/capture/capture-config.ts';
import { awaitSetup, claimAfterSetup } from '../../agent/pairing/await-setup.ts';
import { readPairing } from '../../agent/pairing/pairing-file.ts';
import { refuseLaunched, refuseRunning } from '../../agent/state/camera-claim.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraState } from '../../agent/state/camera-state.ts';
import { loadDeviceKey } from '../../agent/state/device-key.ts';
import { dialledOrigin } from '../../agent/state/pins-file.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { openLog } from './log.ts';
import { stopRole } from './stop-role.ts';

/** What capture is to do, by the camera's configuration; whether it may record sound, the agent says with each run. */
export interface CameraPlan {
  readonly camera: string;
  readonly origin: string;
  readonly capture: CaptureConfig;
}

/**
 * Reads what has to be whole for the agent to run, so that it is refused before anything is started.
 * @throws CameraError, CryptoError, HostError as reading configuration, key, pairing and state does.
 */
export async function planCamera(dir: string): Promise<CameraPlan> {
  const directory = new CameraDirectory(dir);
  const config = directory.readConfig();
  const { source, lan, audio } = config;
  const { camera } = await loadDeviceKey(directory);
  warnOfReaders(directory.deviceKey);
  await readPairing(directory, systemDisk);
  new CameraState(directory, systemDisk);
  const origin = await dialledOrigin(directory, systemDisk, config);
  return { camera, origin, capture: { source, lan, audio } };
}

/**
 * What capture is to do, as soon as the camera is set up.
 * @param alone refuses a directory whose camera runs already, for a launcher that may not open a file in there itself.
 * @returns undefined when it was told to end before.
 * @throws as {@link planCamera}; CameraError CAMERA_RUNNING.
 */
export async function planOnceSetUp(
  dir: string,
  logLevel: string,
  alone: boolean,
): Promise<CaptureConfig | undefined> {
  const directory = new CameraDirectory(dir);
  const waiting = {
    clock: systemClock,
    logger: openLog(logLevel, 'launcher'),
    signal: stopRole(true),
  };
  const blank = directory.isBlank();
  if (blank && !(await awaitSetup(directory, waiting))) return undefined;
  if (alone && directory.exists()) {
    if (!blank) refuseLaunched(directory);
    // What sets it up may be about to end, and so may the agent of a launcher that was killed.
    await claimAfterSetup(() => refuseRunning(directory), waiting);
  }
  const { capture } = await planCamera(dir);
  return capture;
}

function warnOfReaders(path: string): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  console.error(`oriel: warning: ${path} can be read by others; mend it with: chmod 600 ${path}`);
}
