import { type KeyObject, X509Certificate } from 'node:crypto';
import { dirname, join } from 'node:path';
import { utf8 } from '../../crypto/bytes.ts';
import { readCertificate } from '../../crypto/certificate.ts';
import {
  type Credential,
  fromPem,
  issueClient,
  issueServer,
  makeAuthority,
  pem,
  type Validity,
} from '../../crypto/certificate-node.ts';
import { canonicalHost } from '../../crypto/host-name.ts';
import { MAX_REQUEST_LENGTH } from '../../crypto/request-node.ts';
import { p256Point, spkiPin } from '../../crypto/spki-node.ts';
import { replaceFiles } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { type Configuration, identityFile, loadConfiguration, writeConfiguration } from '../config.ts';
import { ServerError } from '../errors.ts';
import type { Patience } from '../registry/database.ts';
import type { Enrolment } from '../registry/enrol.ts';
import { openRegistry } from '../registry/registry-origin.ts';
import { AUTHORITY_YEARS, keyBytes, readAuthority, writeAuthority } from './authority-files.ts';

/**
 * Making a server's directory and issuing certificates from it. Files have mode 0600:
 *
 *     server.json                     addresses and pins; written last: with it the directory is complete
 *     identity/server-ca.{pem,key}    signs the server's certificate; its pin is the one cameras get
 *     identity/backup-ca.{pem,key}    takes its place should it be lost (promotion.ts); cameras get its pin too
 *     identity/camera-ca.{pem,key}    signs the cameras' certificates
 *     identity/server.{pem,key}       the server's certificate and, below it in the file, its CA
 *     registry.db, registry.id        who may come in (registry.ts), and its name (registry-origin.ts); `oriel server init`
 *                                     makes them after all this
 */

const SERVER_DAYS = 5 * 365;
const DER_SEQUENCE = 0x30;
/** Of a request's file: PEM is a third longer than DER, and may be wrapped. */
export const MAX_REQUEST_FILE_BYTES = MAX_REQUEST_LENGTH * 2;

export interface ServerOptions {
  /** Names and addresses that cameras dial, in any spelling. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly now: Date;
  /** The server CA's private key, P-256, for a server that replaces another; a fresh one otherwise. */
  readonly authorityKey?: KeyObject | undefined;
}

/**
 * Sets up a server in a directory that is absent or empty.
 * @throws ServerError DIRECTORY_TAKEN; CryptoError KEY_MALFORMED for a host that is none; HostError.
 */
export async function initServer(
  disk: Disk,
  directory: string,
  { hosts, port, now, authorityKey }: ServerOptions,
): Promise<Configuration> {
  const names = [...new Set(hosts.map(canonicalHost))];
  const authority = makeAuthority('Oriel server CA', now, AUTHORITY_YEARS, authorityKey);
  const backup = makeAuthority('Oriel backup server CA', now, AUTHORITY_YEARS);
  const server = issueServer(authority, names, { from: now, days: SERVER_DAYS });
  if (!(await disk.makeDirectory(directory, 0o700)) && (await disk.list(directory))?.length !== 0) {
    throw new ServerError(
      'DIRECTORY_TAKEN',
      `${directory} is not empty: nothing was written; name another directory`,
    );
  }
  await disk.syncDirectory(dirname(directory));
  await disk.makeDirectory(join(directory, 'identity'), 0o700);
  await writeAuthority(disk, directory, 'server-ca', authority);
  await writeAuthority(disk, directory, 'backup-ca', backup);
  await writeAuthority(disk, directory, 'camera-ca', makeAuthority('Oriel camera CA', now, AUTHORITY_YEARS));
  await writeServer(disk, directory, server, authority);
  const configuration: Configuration = {
    version: 1,
    hosts: names,
    port,
    pin: spkiPin(authority.certificate),
    backupPin: spkiPin(backup.certificate),
  };
  await writeConfiguration(disk, directory, configuration);
  return configuration;
}

/** Gives the server a fresh key and certificate below the same CA. @throws ServerError; HostError. */
export async function renewServer(
  disk: Disk,
  directory: string,
  hosts: readonly string[],
  now: Date,
): Promise<void> {
  const authority = await readAuthority(disk, directory, 'server-ca');
  const server = issueServer(authority, hosts, { from: now, days: SERVER_DAYS });
  await writeServer(disk, directory, server, authority);
}

/**
 * Issues a camera's certificate, PEM, for a PKCS#10 request, PEM or DER, and enrols the camera.
 * @throws CryptoError DOCUMENT_MALFORMED, KEY_MALFORMED, DOCUMENT_FORGED; ServerError CAMERA_REVOKED and others;
 * HostError.
 */
export async function certifyCamera(
  disk: Disk,
  directory: string,
  {
    request,
    days,
    now,
    patience,
  }: {
    readonly request: Uint8Array;
    readonly days: number;
    readonly now: Date;
    readonly patience?: Patience;
  },
): Promise<{ readonly certificate: string; readonly camera: string }> {
  await loadConfiguration(disk, directory);
  const authority = await readCameraAuthority(disk, directory);
  const isDer = request[0] === DER_SEQUENCE;
  const der = isDer ? request : fromPem('CERTIFICATE REQUEST', Buffer.from(request).toString('latin1'));
  const { certificate, enrolment } = issueCamera(authority, der, { from: now, days });
  const registry = await openRegistry(directory, patience);
  try {
    await registry.enrol(enrolment, now.getTime());
  } finally {
    await registry.close();
  }
  return { certificate: pem('CERTIFICATE', certificate), camera: enrolment.camera };
}

/** A camera's certificate, DER, and what the registry is to know of it. @throws CryptoError as certifyCamera. */
export function issueCamera(
  authority: Credential,
  request: Uint8Array,
  validity: Validity,
): { readonly certificate: Uint8Array; readonly enrolment: Enrolment } {
  const { certificate, camera } = issueClient(authority, request, validity);
  const { publicKey, serialNumber } = new X509Certificate(certificate);
  const { notAfterMs } = readCertificate(certificate);
  const enrolment = { camera, point: p256Point(publicKey), serial: serialNumber, notAfterMs };
  return { certificate, enrolment };
}

/** The CA that signs cameras' certificates. @throws ServerError DIRECTORY_MALFORMED; HostError. */
export function readCameraAuthority(disk: Disk, directory: string): Promise<Credential> {
  return readAuthority(disk, directory, 'camera-ca');
}

async function writeServer(
  disk: Disk,
  directory: string,
  server: Credential,
  authority: Credential,
): Promise<void> {
  const chain = pem('CERTIFICATE', server.certificate) + pem('CERTIFICATE', authority.certificate);
  const files = [
    { path: identityFile(directory, 'server.key'), bytes: keyBytes(server.key) },
    { path: identityFile(directory, 'server.pem'), bytes: utf8(chain) },
  ];
  await replaceFiles(disk, files, 0o600);
}
