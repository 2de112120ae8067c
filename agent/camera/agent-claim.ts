import type { Disk } from '../../host/disk.ts';
import { isProcessRunning, ownProcessName } from '../../host/process-name.ts';
import { SpoolError } from '../spool/errors.ts';
import { lockDirectory } from '../spool/lock.ts';
import { claimCamera } from './camera-claim.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { CameraError } from './errors.ts';

/**
 * Claims a camera for this process as its agent. It is a claim of its own: the launcher has the camera's directory,
 * or, where it may write nothing there, nobody has.
 * @returns how to give it up.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimAgent(directory: CameraDirectory, disk: Disk): Promise<() => Promise<void>> {
  const isRunning = (name: string) => isProcessRunning(disk, name);
  try {
    return await lockDirectory(disk, directory.run, { name: await ownProcessName(disk), isRunning });
  } catch (cause) {
    if (!(cause instanceof SpoolError)) throw cause;
    throw new CameraError('CAMERA_RUNNING', `the agent of ${directory.path} is running already`, cause);
  }
}

/**
 * Claims a camera that neither a launcher nor an agent runs, so that its files may be changed.
 * @returns how to give it up.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimIdleCamera(directory: CameraDirectory, disk: Disk): Promise<() => Promise<void>> {
  const release = await claimCamera(directory, disk);
  if ((await disk.stat(directory.run)) === undefined) return release;
  try {
    const releaseAgent = await claimAgent(directory, disk);
    return async () => {
      await releaseAgent();
      await release();
    };
  } catch (error) {
    await release();
    throw error;
  }
}
