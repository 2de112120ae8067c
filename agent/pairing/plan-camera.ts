import { statSync } from 'node:fs';
import { systemDisk } from '../../host/disk.ts';
import type { CaptureConfig } from '../capture/capture-config.ts';
import { refuseLaunched, refuseRunning } from '../state/camera-claim.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { CameraState } from '../state/camera-state.ts';
import { loadDeviceKey } from '../state/device-key.ts';
import { dialledOrigin } from '../state/pins-file.ts';
import { awaitSetup, claimAfterSetup, type WaitEffects } from './await-setup.ts';
import { readPairing } from './pairing-file.ts';

/** What capture is to do, by the camera's configuration; whether it may record sound, the agent says with each run. */
export interface CameraPlan {
  readonly camera: string;
  readonly origin: string;
  readonly capture: CaptureConfig;
}

/**
 * Reads what has to be whole for the agent to run, so that it is refused before anything is started.
 * @param warn told of a device key that others can read.
 * @throws CameraError, CryptoError, HostError as reading configuration, key, pairing and state does.
 */
export async function planCamera(dir: string, warn: Warn = () => undefined): Promise<CameraPlan> {
  const directory = new CameraDirectory(dir);
  const config = directory.readConfig();
  const { source, lan, audio } = config;
  const { camera } = await loadDeviceKey(directory);
  warnOfReaders(directory.deviceKey, warn);
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
  alone: boolean,
  waiting: WaitEffects,
  warn: Warn,
): Promise<CaptureConfig | undefined> {
  const directory = new CameraDirectory(dir);
  const blank = directory.isBlank();
  if (blank && !(await awaitSetup(directory, waiting))) return undefined;
  if (alone && directory.exists()) {
    if (!blank) refuseLaunched(directory);
    // What sets it up may be about to end, and so may the agent of a launcher that was killed.
    await claimAfterSetup(() => refuseRunning(directory), waiting);
  }
  const { capture } = await planCamera(dir, warn);
  return capture;
}

type Warn = (text: string) => void;

function warnOfReaders(path: string, warn: Warn): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  warn(`${path} can be read by others; run: chmod 600 ${path}`);
}
