import { createPrivateKey, X509Certificate } from 'node:crypto';
import { utf8 } from '../../crypto/bytes.ts';
import { makeAuthority } from '../../crypto/certificate-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import {
  type Configuration,
  identityFile,
  loadConfiguration,
  readText,
  writeConfiguration,
} from '../config.ts';
import { ServerError } from '../errors.ts';
import { lockDirectory } from '../storage/directory-lock.ts';
import {
  AUTHORITY_YEARS,
  type AuthorityFile,
  readAuthority,
  readAuthorityCertificate,
  writeAuthority,
} from './authority-files.ts';
import { renewServer } from './identity.ts';

export interface Promoted {
  readonly before: Configuration;
  readonly configuration: Configuration;
}

/** Promotes the backup CA of a server that is not running. @throws ServerError DIRECTORY_IN_USE and as promoteBackup. */
export async function promoteHere(
  directory: string,
  backupKey: string | undefined,
  now: Date,
): Promise<Promoted> {
  const before = await loadConfiguration(systemDisk, directory);
  const lock = await lockDirectory(directory);
  try {
    const configuration = await promoteBackup(systemDisk, directory, before, { backupKey, now });
    return { before, configuration };
  } finally {
    lock.release();
  }
}

/**
 * The promotion of the backup CA: it becomes the one that signs the server's certificate, and a fresh backup takes its
 * place. The new pins in server.json decide; the files of identity/ are brought in line with them, here or, after a cut,
 * at the next start (`settleAuthorities`), from what lies in `next-ca`.
 */

/**
 * Promotes the backup CA of a server that does not run. Cut off anywhere, it has either not happened or is made good.
 * @param backupKey the backup CA's private key, PEM, where it was taken away from the server.
 * @throws ServerError AUTHORITY_MISSING, DIRECTORY_MALFORMED; HostError.
 */
export async function promoteBackup(
  disk: Disk,
  directory: string,
  configuration: Configuration,
  { backupKey, now }: { readonly backupKey: string | undefined; readonly now: Date },
): Promise<Configuration> {
  await settleAuthorities(disk, directory, configuration);
  await bringBackupKey(disk, directory, backupKey);
  const next = makeAuthority('Oriel backup server CA', now, AUTHORITY_YEARS);
  await writeAuthority(disk, directory, 'next-ca', next);
  const promoted: Configuration = {
    ...configuration,
    pin: configuration.backupPin,
    backupPin: spkiPin(next.certificate),
  };
  await writeConfiguration(disk, directory, promoted);
  await settleAuthorities(disk, directory, promoted);
  await renewServer(disk, directory, promoted.hosts, now);
  return promoted;
}

/**
 * Brings the files of the two server CAs in line with the pins of server.json, which a promotion that was cut off may
 * have left behind.
 * @throws ServerError DIRECTORY_MALFORMED; HostError.
 */
export async function settleAuthorities(
  disk: Disk,
  directory: string,
  { pin, backupPin }: Pick<Configuration, 'pin' | 'backupPin'>,
): Promise<void> {
  const pinOf = async (name: AuthorityFile) => spkiPin(await readAuthorityCertificate(disk, directory, name));
  if ((await pinOf('server-ca')) !== pin) {
    await writeAuthority(disk, directory, 'server-ca', await readAuthority(disk, directory, 'backup-ca'));
  }
  if ((await pinOf('backup-ca')) !== backupPin) {
    await writeAuthority(disk, directory, 'backup-ca', await readAuthority(disk, directory, 'next-ca'));
  }
  for (const kind of ['key', 'pem']) await disk.unlink(identityFile(directory, `next-ca.${kind}`));
}

/** Makes sure that the private key of the backup CA lies here. */
async function bringBackupKey(disk: Disk, directory: string, given: string | undefined): Promise<void> {
  const path = identityFile(directory, 'backup-ca.key');
  const certificate = await readAuthorityCertificate(disk, directory, 'backup-ca');
  if (given === undefined && (await disk.stat(path)) === undefined) {
    throw new ServerError('AUTHORITY_MISSING', `${path} was taken away: bring its copy, --backup-key FILE`);
  }
  const text = given ?? (await readText(disk, path));
  if (!isKeyOf(text, certificate)) {
    throw new ServerError(
      'AUTHORITY_MISSING',
      'this is not the private key of the backup CA: bring a copy of it, --backup-key FILE',
    );
  }
  if (given !== undefined) await writeFileAtomic(disk, path, utf8(given), 0o600);
}

function isKeyOf(text: string, certificate: Uint8Array): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(text));
  } catch {
    return false;
  }
}
