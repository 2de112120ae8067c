import { equal, toBase64Url } from '../../crypto/bytes.ts';
import { makePairingStatement } from '../../crypto/pairing-statement.ts';
import { pinText } from '../../crypto/pin.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { claimTokenOf, proofKeyOf, readSetupCode, type SetupCode } from '../../crypto/setup-code.ts';
import type { Disk } from '../../host/disk.ts';
import type { CameraConfigText, CameraDirectory } from '../state/camera-directory.ts';
import { type DeviceKey, loadDeviceKey } from '../state/device-key.ts';
import { shred } from '../state/erase-camera.ts';
import { CameraError } from '../state/errors.ts';
import { makeCamera } from '../state/make-camera.ts';
import { type PairingFile, readPairing, writePairing } from './pairing-file.ts';
import { writeWifiFile } from './wifi-file.ts';

/** What of a camera's configuration a setup code does not say. */
export type CameraChoice = Omit<CameraConfigText, 'version' | 'server' | 'owner'>;

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
