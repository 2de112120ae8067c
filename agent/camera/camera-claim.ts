import type { Disk } from '../../host/disk.ts';
import { isProcessRunning } from '../../host/process-name.ts';
import { SpoolError } from '../spool/errors.ts';
import { lockDirectory } from '../spool/lock.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { CameraError } from './errors.ts';

/**
 * Claims a camera's directory for a process, as long as that runs: its launcher, since two would pull the FIFOs from
 * under each other; its agent, which may outlive a launcher that is killed; or who changes its files.
 * @param name the process's, as host/process-name.ts gives it.
 * @param launcher the process's launcher, whose claim does not stand in its way.
 * @returns how to give the claim up; one left by a process that has ended is void.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimCamera(
  directory: CameraDirectory,
  disk: Disk,
  name: string,
  launcher?: string,
): Promise<() => Promise<void>> {
  const isRunning = (other: string) => isProcessRunning(disk, other);
  try {
    return await lockDirectory(disk, directory.path, { name, isRunning, beside: launcher });
  } catch (cause) {
    if (!(cause instanceof SpoolError)) throw cause;
    throw new CameraError(
      'CAMERA_RUNNING',
      `the camera in ${directory.path} is running already; end it first`,
      cause,
    );
  }
}
