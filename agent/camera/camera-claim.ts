import type { Disk } from '../../host/disk.ts';
import { isProcessRunning, ownProcessName } from '../../host/process-name.ts';
import { SpoolError } from '../spool/errors.ts';
import { lockDirectory } from '../spool/lock.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { CameraError } from './errors.ts';

/**
 * Claims a camera's directory for this process: two launchers would pull the FIFOs from under each other.
 * @returns how to give it up; a claim left by a process that was killed is void.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimCamera(directory: CameraDirectory, disk: Disk): Promise<() => Promise<void>> {
  const isRunning = (name: string) => isProcessRunning(disk, name);
  try {
    return await lockDirectory(disk, directory.path, { name: await ownProcessName(disk), isRunning });
  } catch (cause) {
    if (!(cause instanceof SpoolError)) throw cause;
    throw new CameraError('CAMERA_RUNNING', `the camera in ${directory.path} is running already`, cause);
  }
}
