import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FileLock, passingFileLock } from '../../host/file-lock.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { CameraError } from './errors.ts';

/**
 * Who claims a camera's directory: its launcher, since two would pull the FIFOs from under each other; its agent, which
 * may outlive a launcher that is killed; or a command that changes its files, or an agent without a launcher, beside which
 * there is nobody.
 */
export type Claimant = 'launcher' | 'agent' | 'alone';

/** Who only asks whether another is there holds the lock for a moment: that is waited out, ms. */
const WAIT_MS = 200;

/**
 * Claims a camera's directory for this process, as long as it runs.
 * @returns how to give the claim up.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimCamera(directory: CameraDirectory, claimant: Claimant): Promise<() => void> {
  const held: FileLock[] = [];
  if (directory.isReadOnly) mkdirSync(directory.claims, { recursive: true, mode: 0o700 });
  const release = () => {
    for (const lock of held.splice(0)) lock.release();
  };
  const take = async (name: string) => {
    const lock = await passingFileLock(join(directory.claims, name), WAIT_MS);
    if (lock === undefined) {
      release();
      throw new CameraError(
        'CAMERA_RUNNING',
        `the camera in ${directory.path} is running already; end it first`,
      );
    }
    held.push(lock);
    return lock;
  };
  if (claimant !== 'agent') await take('launcher.lock');
  const agent = await take('agent.lock');
  if (claimant === 'launcher') {
    // Its own agent takes it.
    held.pop();
    agent.release();
  }
  return release;
}
