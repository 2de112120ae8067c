import { utf8 } from '../../crypto/bytes.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { CameraConfigText, CameraDirectory } from './camera-directory.ts';
import { type DeviceKey, deviceKeyFromPem, generateDeviceKey } from './device-key.ts';
import { eraseCamera } from './erase-camera.ts';

/**
 * Makes a camera with a fresh device key. Cut off anywhere, it leaves either no camera or this one whole: the
 * configuration is written last, and leavings of an earlier attempt are erased first.
 * @param beside writes what else belongs to it.
 */
export async function makeCamera(
  directory: CameraDirectory,
  disk: Disk,
  config: CameraConfigText,
  beside: (device: DeviceKey) => Promise<void>,
): Promise<DeviceKey> {
  await eraseCamera(directory, disk);
  const pem = generateDeviceKey();
  const device = await deviceKeyFromPem(pem);
  await writeFileAtomic(disk, directory.deviceKey, utf8(pem), 0o600);
  await beside(device);
  const text = `${JSON.stringify(config, undefined, 2)}\n`;
  await writeFileAtomic(disk, directory.config, utf8(text), 0o600);
  return device;
}
