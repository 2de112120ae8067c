import { join } from 'node:path';
import { tryDirectoryLock } from '../../host/directory-lock.ts';
import { HostError, takesNothing } from '../../host/errors.ts';
import { type FileLock, isFileLocked, passingFileLock } from '../../host/file-lock.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { cameraRunning } from './errors.ts';
import { isOwn, makeElsewhere } from './run-elsewhere.ts';

/**
 * Who claims a camera's directory: its launcher, since two would pull the FIFOs from under each other; its agent, which
 * may outlive a launcher that is killed; or a command that changes its files, or an agent without a launcher, beside which
 * there is nobody.
 */
export type Claimant = 'launcher' | 'agent' | 'alone';

/** Who only asks whether another is there holds the lock for a moment: that is waited out, ms. */
const WAIT_MS = 200;
/** So does a command that changes the camera, ms. */
const COMMAND_MS = 2_000;

/**
 * Claims a camera's directory for this process, as long as it runs: by locks in it, or elsewhere while it takes no file.
 * What was claimed in one place counts too once claims are made in the other. All but an agent lock the directory itself
 * too, which is all that a launcher can have done that may make no file there (launcher/claim.ts).
 * @returns how to give the claim up.
 * @throws CameraError CAMERA_RUNNING, RUN_DIRECTORY; HostError.
 */
export async function claimCamera(directory: CameraDirectory, claimant: Claimant): Promise<() => void> {
  const held: FileLock[] = [];
  const release = () => {
    const lock = held.pop();
    if (lock === undefined) return;
    try {
      lock.release();
    } finally {
      release();
    }
  };
  try {
    if (claimant !== 'agent') {
      held.push(...(await take(directory, 'launcher.lock')));
      held.push(tryDirectoryLock(directory.path, WAIT_MS) ?? refuse(directory));
    }
    const agent = await take(directory, 'agent.lock');
    // A launcher's own agent takes it.
    if (claimant !== 'launcher') held.push(...agent);
    else for (const lock of agent) lock.release();
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

/** Refuses a camera that a launcher runs. @throws CameraError CAMERA_RUNNING; HostError. */
export function refuseLaunched(directory: CameraDirectory): void {
  (tryDirectoryLock(directory.path, COMMAND_MS, 'shared') ?? refuse(directory)).release();
}

/**
 * Refuses a camera of which anything runs, or whose files are being changed, as far as locks in its directory tell.
 * @throws CameraError CAMERA_RUNNING, RUN_DIRECTORY; HostError.
 */
export async function refuseRunning(directory: CameraDirectory): Promise<void> {
  for (const name of ['launcher.lock', 'agent.lock'])
    for (const lock of await take(directory, name)) lock.release();
}

async function take(directory: CameraDirectory, name: string): Promise<FileLock[]> {
  const elsewhere = directory.claimsElsewhere;
  const here = directory.isReadOnly ? undefined : await takeHere(directory, name);
  if (here === undefined) {
    if (isFileLocked(join(directory.path, name))) refuse(directory);
    makeElsewhere(elsewhere);
  } else if (!isOwn(elsewhere)) return [here];
  try {
    const there = await takeIn(directory, elsewhere, name);
    return here === undefined ? [there] : [here, there];
  } catch (error) {
    here?.release();
    throw error;
  }
}

/** Undefined where the directory takes no file. */
async function takeHere(directory: CameraDirectory, name: string): Promise<FileLock | undefined> {
  try {
    return await takeIn(directory, directory.path, name);
  } catch (error) {
    if (error instanceof HostError && takesNothing(error)) return undefined;
    throw error;
  }
}

async function takeIn(directory: CameraDirectory, place: string, name: string): Promise<FileLock> {
  const lock = await passingFileLock(join(place, name), WAIT_MS);
  return lock ?? refuse(directory);
}

function refuse({ path }: CameraDirectory): never {
  throw cameraRunning(path);
}
