import { existsSync } from 'node:fs';
import { asOwnerOf } from '../../host/as-owner.ts';
import { systemDisk } from '../../host/disk.ts';
import { keepDestinations } from '../firewall/destinations-file.ts';
import { claimCamera } from '../state/camera-claim.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { eraseCamera, removeTree, shred } from '../state/erase-camera.ts';
import { CameraError } from '../state/errors.ts';
import { removeElsewhere } from '../state/run-elsewhere.ts';

/** Erases a camera: it is another one when it is set up again. @throws CameraError CAMERA_MISSING, CAMERA_RUNNING. */
export async function resetCamera(dir: string, firewallState: string): Promise<void> {
  const directory = new CameraDirectory(dir);
  if (!existsSync(dir)) throw new CameraError('CAMERA_MISSING', `${dir} holds no camera`);
  const erased = await asOwnerOf(dir, () => eraseAll(directory));
  // It reaches nobody until root sets it up again, whatever lies in its directory by then.
  await keepDestinations(firewallState, dir, () => null);
  if (!erased) throw new CameraError('CAMERA_MISSING', `${dir} holds no camera`);
}

async function eraseAll(directory: CameraDirectory): Promise<boolean> {
  const release = await claimCamera(directory, 'alone');
  try {
    const erased = await eraseCamera(directory, systemDisk);
    const code = await shred(systemDisk, directory.setupCode);
    await removeTree(systemDisk, directory.withRun().run);
    removeElsewhere(directory.runElsewhere);
    return erased || code;
  } finally {
    release();
  }
}
