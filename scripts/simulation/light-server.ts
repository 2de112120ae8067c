import { createPrivateKey } from 'node:crypto';
import { type DeviceKey, deviceKeyFromPem, generateDeviceKey } from '../../agent/state/device-key.ts';
import { pem } from '../../crypto/certificate-node.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { initServer, issueCamera, readCameraAuthority } from '../../server/pki/identity.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';

export const LIGHT_HOST = '127.0.0.1';
const CERTIFICATE_DAYS = 14;

export interface LightIdentity {
  readonly device: DeviceKey;
  /** PEM. */
  readonly certificate: string;
}

export interface LightServer {
  readonly pins: readonly string[];
  readonly identities: readonly LightIdentity[];
}

/** A server's directory with so many cameras enrolled, as `oriel server certify` does it. */
export async function makeLightServer(testServer: string, cameras: number): Promise<LightServer> {
  const now = new Date();
  const { pin, backupPin } = await initServer(systemDisk, testServer, {
    hosts: [LIGHT_HOST],
    port: 8443,
    now,
  });
  const authority = await readCameraAuthority(systemDisk, testServer);
  const registry = await openRegistry(testServer);
  const identities: LightIdentity[] = [];
  for (let made = 0; made < cameras; made++) {
    const key = generateDeviceKey();
    const device = await deviceKeyFromPem(key);
    const request = makeRequest(createPrivateKey(key), device.camera);
    const issued = issueCamera(authority, request, { from: now, days: CERTIFICATE_DAYS });
    await registry.enrol(issued.enrolment, now.getTime());
    identities.push({ device, certificate: pem('CERTIFICATE', issued.certificate) });
  }
  await registry.close();
  return { pins: [pin, backupPin], identities };
}
