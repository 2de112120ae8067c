import { createPrivateKey, X509Certificate } from 'node:crypto';
import { spkiPin } from '../crypto/spki-node.ts';
import type { Disk } from '../host/disk.ts';
import { type Configuration, identityFile, readText } from './configuration.ts';
import type { GateIdentity } from './gate.ts';

const DAY_MS = 86_400_000;
/** A server certificate with less than this left is issued anew at the next start. */
const RENEWAL_DAYS = 365;

/**
 * What the gate shows and whom it trusts. A server certificate near its end, of another CA than server.json names, or whose
 * renewal was cut off between its files, is issued anew first.
 * @throws ServerError DIRECTORY_MALFORMED; HostError.
 */
export async function loadGateIdentity(
  disk: Disk,
  directory: string,
  configuration: Configuration,
  now: Date,
): Promise<GateIdentity> {
  const read = (name: string) => readText(disk, identityFile(directory, name));
  if (!isUsable(await read('server.pem'), await read('server.key'), configuration.pin, now)) {
    const [{ settleAuthorities }, { renewServer }] = await Promise.all([
      import('./promotion.ts'),
      import('./identity.ts'),
    ]);
    await settleAuthorities(disk, directory, configuration);
    await renewServer(disk, directory, configuration.hosts, now);
  }
  return {
    chain: await read('server.pem'),
    key: await read('server.key'),
    cameraAuthority: await read('camera-ca.pem'),
  };
}

function isUsable(chain: string, key: string, pin: string, now: Date): boolean {
  const certificate = new X509Certificate(chain);
  const left = certificate.validToDate.getTime() - now.getTime();
  const authority = new X509Certificate(chain.slice(chain.lastIndexOf('-----BEGIN')));
  return (
    left >= RENEWAL_DAYS * DAY_MS &&
    certificate.checkPrivateKey(createPrivateKey(key)) &&
    spkiPin(authority.raw) === pin
  );
}
