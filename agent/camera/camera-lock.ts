import type { Disk } from '../../host/disk.ts';
import { isProcessRunning, ownProcessName } from '../../host/process-name.ts';
import { lockDirectory } from '../spool/lock.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { CameraError } from './errors.ts';

/**
 * Claims a camera for this process: its agent while it runs, or who changes its files.
 * @returns how to give the claim up.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function lockCamera(directory: CameraDirectory, disk: Disk): Promise<() => Promise<void>> {
  const name = await ownProcessName(disk);
  try {
    return await lockDirectory(disk, directory.path, {
      name,
      isRunning: (other) => isProcessRunning(disk, other),
    });
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'SPOOL_LOCKED') throw cause;
    throw new CameraError('CAMERA_RUNNING', `camera ${directory.path} is running; end it first`, cause);
  }
}
