import { createPrivateKey, type KeyObject } from 'node:crypto';
import { utf8 } from '../../crypto/bytes.ts';
import { type Credential, fromPem, pem } from '../../crypto/certificate-node.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { identityFile, readText } from '../config.ts';

/** The authorities of a server: each a private key and a certificate in `identity/`, mode 0600. */
export type AuthorityFile = 'server-ca' | 'backup-ca' | 'camera-ca' | 'next-ca';

export const AUTHORITY_YEARS = 30;

/** The certificate last: by it one sees which authority lies there. @throws HostError. */
export async function writeAuthority(
  disk: Disk,
  directory: string,
  name: AuthorityFile,
  { certificate, key }: Credential,
): Promise<void> {
  await writeFileAtomic(disk, identityFile(directory, `${name}.key`), keyBytes(key), 0o600);
  const text = pem('CERTIFICATE', certificate);
  await writeFileAtomic(disk, identityFile(directory, `${name}.pem`), utf8(text), 0o600);
}

/** @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function readAuthority(disk: Disk, directory: string, name: AuthorityFile): Promise<Credential> {
  const certificate = await readAuthorityCertificate(disk, directory, name);
  return { certificate, key: createPrivateKey(await readText(disk, identityFile(directory, `${name}.key`))) };
}

/** DER. @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function readAuthorityCertificate(
  disk: Disk,
  directory: string,
  name: AuthorityFile,
): Promise<Uint8Array> {
  return fromPem('CERTIFICATE', await readText(disk, identityFile(directory, `${name}.pem`)));
}

/** A private key as its file holds it, PEM. */
export function keyBytes(key: KeyObject): Uint8Array {
  return utf8(key.export({ type: 'pkcs8', format: 'pem' }) as string);
}
