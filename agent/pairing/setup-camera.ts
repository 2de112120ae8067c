import { existsSync } from 'node:fs';
import { equal, toBase64Url, utf8 } from '../../crypto/bytes.ts';
import { makePairingStatement } from '../../crypto/pairing-statement.ts';
import { pinText } from '../../crypto/pin.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import {
  claimTokenOf,
  proofKeyOf,
  readSetupCode,
  type SetupCode,
  type WifiNetwork,
} from '../../crypto/setup-code.ts';
import { asOwnerOf } from '../../host/as-owner.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { keepDestinations } from '../firewall/destinations-file.ts';
import { claimCamera } from '../state/camera-claim.ts';
import { type CameraConfigText, CameraDirectory } from '../state/camera-directory.ts';
import { type DeviceKey, loadDeviceKey } from '../state/device-key.ts';
import { eraseCamera, removeTree, shred } from '../state/erase-camera.ts';
import { CameraError } from '../state/errors.ts';
import { makeCamera } from '../state/make-camera.ts';
import { removeElsewhere } from '../state/run-elsewhere.ts';
import { type PairingFile, readPairing, writePairing } from './pairing-file.ts';

/** Keeps the setup code's network (wifi.json, mode 0600) for the board's own network setup. */
function writeWifiFile(
  directory: CameraDirectory,
  disk: Disk,
  { ssid, passphrase }: WifiNetwork,
): Promise<void> {
  return writeFileAtomic(disk, directory.wifi, utf8(`${JSON.stringify({ ssid, passphrase })}\n`), 0o600);
}

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

/** What of a camera's configuration a setup code does not say. */
type CameraChoice = Omit<CameraConfigText, 'version' | 'server' | 'owner'>;

/**
 * Sets a camera up with a setup code. The same code again changes nothing, another one starts over with a fresh
 * device key, as long as the camera is not enrolled; then it is paired, and ignores codes.
 * @returns the camera's id as text.
 * @throws CryptoError SETUP_CODE_MALFORMED, SETUP_CODE_CORRUPT, SETUP_CODE_VERSION; CameraError CAMERA_PAIRED;
 *   HostError.
 */
export async function setupCamera(
  directory: CameraDirectory,
  disk: Disk,
  text: string,
  choice: CameraChoice,
): Promise<string> {
  const waiting = directory.exists() ? await tokenOf(directory, disk) : undefined;
  const code = await readSetupCode(text, nodePrimitives);
  const token = await claimTokenOf(code.secret, nodePrimitives);
  const again = waiting !== undefined && equal(waiting, token);
  const { camera } = again
    ? await loadDeviceKey(directory)
    : await makeCamera(directory, disk, configOf(code, choice), async (device) => {
        if (code.wifi !== undefined) await writeWifiFile(directory, disk, code.wifi);
        await writePairing(directory, disk, await pairingOf(code, token, device));
      });
  await shred(disk, directory.setupCode);
  return camera;
}

/** @throws CameraError CAMERA_PAIRED unless the camera still waits to be enrolled with a code. */
async function tokenOf(directory: CameraDirectory, disk: Disk): Promise<Uint8Array> {
  const pairing = await readPairing(directory, disk);
  if (pairing?.token !== undefined) return pairing.token;
  throw new CameraError(
    'CAMERA_PAIRED',
    `${directory.path} holds a paired camera, which ignores setup codes; to begin anew: oriel camera reset`,
  );
}

function configOf(code: SetupCode, choice: CameraChoice): CameraConfigText {
  const pins = [code.activePin, code.backupPin].filter((pin) => pin.some((byte) => byte !== 0));
  return {
    version: 1,
    server: { origin: code.origin, pins: pins.map(pinText) },
    owner: toBase64Url(code.owner),
    ...choice,
  };
}

async function pairingOf(code: SetupCode, token: Uint8Array, device: DeviceKey): Promise<PairingFile> {
  const proofKey = await proofKeyOf(code.secret, nodePrimitives);
  const statement = await makePairingStatement(code, proofKey, device.signer, nodePrimitives);
  return {
    version: 1,
    token: new Uint8Array(token),
    statement: toBase64Url(statement),
    expires: code.expires,
  };
}
