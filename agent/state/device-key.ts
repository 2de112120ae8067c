import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cameraIdOf, idText } from '../../crypto/header.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { p256Point } from '../../crypto/spki-node.ts';
import { type CameraDirectory, readLimited } from './camera-directory.ts';
import { CameraError } from './errors.ts';

const MAX_PEM_BYTES = 64 * 1024;

/** The camera's life-long key, P-256: it signs the camera's statements and its TLS handshakes. */
export interface DeviceKey {
  readonly signer: DeviceSigner;
  /** Camera id, 20 bytes, and as text. */
  readonly cameraId: Uint8Array;
  readonly camera: string;
  readonly pem: string;
  readonly key: KeyObject;
}

/** A fresh device key as PKCS#8 PEM. */
export function generateDeviceKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** @param owner as for readLimited. @throws CameraError FILE_UNREADABLE. */
export async function loadDeviceKey(directory: CameraDirectory, owner?: number): Promise<DeviceKey> {
  return deviceKeyFromPem(readLimited(directory.deviceKey, MAX_PEM_BYTES, owner), directory.deviceKey);
}

/** @param from where it was found, for the error. @throws CameraError FILE_UNREADABLE. */
export async function deviceKeyFromPem(pem: string, from = 'the device key'): Promise<DeviceKey> {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new CameraError('FILE_UNREADABLE', `${from} is no private key`, cause);
  }
  const signer = deviceSigner(key, from);
  const cameraId = await cameraIdOf(signer.point, nodePrimitives);
  return { signer, cameraId, camera: idText(cameraId), pem, key };
}

function deviceSigner(key: KeyObject, from: string): DeviceSigner {
  try {
    const point = p256Point(key);
    return { point, sign: (message) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }) };
  } catch (cause) {
    throw new CameraError('FILE_UNREADABLE', `${from} is no P-256 key`, cause);
  }
}

/** The client certificate's chain, PEM. @throws CameraError CERTIFICATE_MISSING. */
export function loadCertificate(directory: CameraDirectory, deviceKey: DeviceKey): string {
  const { request, certificate } = directory;
  const help = existsSync(request)
    ? `have its server certify ${request}: oriel server certify DIR --request FILE --out FILE, and put the answer at ${certificate}`
    : 'the camera asks its server for another by itself';
  if (!existsSync(directory.certificate)) {
    throw new CameraError('CERTIFICATE_MISSING', `${directory.certificate} is missing; ${help}`);
  }
  const pem = readLimited(directory.certificate, MAX_PEM_BYTES);
  try {
    if (new X509Certificate(pem).checkPrivateKey(deviceKey.key)) return pem;
  } catch (cause) {
    throw new CameraError(
      'CERTIFICATE_MISSING',
      `${directory.certificate} is no certificate; ${help}`,
      cause,
    );
  }
  throw new CameraError('CERTIFICATE_MISSING', `${directory.certificate} is for another key; ${help}`);
}
