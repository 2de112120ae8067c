import { utf8 } from '../../crypto/bytes.ts';
import type { WifiNetwork } from '../../crypto/wifi.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';

/** Keeps the setup code's network (wifi.json, mode 0600) for the board's own network setup. */
export function writeWifiFile(
  directory: CameraDirectory,
  disk: Disk,
  { ssid, passphrase }: WifiNetwork,
): Promise<void> {
  return writeFileAtomic(disk, directory.wifi, utf8(`${JSON.stringify({ ssid, passphrase })}\n`), 0o600);
}
