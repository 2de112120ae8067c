import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { fromUtf8, utf8 } from '../crypto/bytes.ts';
import {
  type Credential,
  fromPem,
  issueClient,
  issueServer,
  makeAuthority,
  pem,
} from '../crypto/certificate-node.ts';
import { MAX_REQUEST_LENGTH } from '../crypto/request-node.ts';
import { spkiPin } from '../crypto/spki-node.ts';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { ServerError } from './errors.ts';
import type { GateIdentity } from './gate.ts';

/**
 * What `oriel server init` makes in a directory, keys with mode 0600:
 *
 *     server.json                 addresses and pins; written last: with it the directory is complete
 *     identity/server-ca.{pem,key}    signs the server's certificate; its pin is the one cameras get
 *     identity/backup-ca.{pem,key}    takes its place should it be lost; cameras get its pin too
 *     identity/camera-ca.{pem,key}    signs the cameras' certificates
 *     identity/server.{pem,key}       the server's certificate and, below it in the file, its CA
 */

export const Configuration = v.strictObject({
  version: v.literal(1),
  hosts: v.pipe(v.array(v.pipe(v.string(), v.maxLength(253))), v.minLength(1), v.maxLength(32)),
  port: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)),
  pin: v.pipe(v.string(), v.regex(/^sha256\/[A-Za-z0-9+/]{43}=$/)),
  backupPin: v.pipe(v.string(), v.regex(/^sha256\/[A-Za-z0-9+/]{43}=$/)),
});
export type Configuration = v.InferOutput<typeof Configuration>;

const AUTHORITY_YEARS = 30;
const SERVER_DAYS = 5 * 365;
const DAY_MS = 86_400_000;
/** A server certificate with less than this left is issued anew at the next start. */
const RENEWAL_DAYS = 365;
const MAX_FILE_BYTES = 64 * 1024;

type Authority = 'server-ca' | 'backup-ca' | 'camera-ca';

/**
 * Sets up a server in a directory that is absent or empty.
 * @throws ServerError DIRECTORY_TAKEN; CryptoError KEY_MALFORMED for a host that is none; HostError.
 */
export async function initServer(
  disk: Disk,
  directory: string,
  { hosts, port, now }: { readonly hosts: readonly string[]; readonly port: number; readonly now: Date },
): Promise<Configuration> {
  const authority = makeAuthority('Oriel server CA', now, AUTHORITY_YEARS);
  const backup = makeAuthority('Oriel backup server CA', now, AUTHORITY_YEARS);
  const server = issueServer(authority, hosts, { from: now, days: SERVER_DAYS });
  if (!(await disk.makeDirectory(directory, 0o700)) && (await disk.list(directory))?.length !== 0) {
    throw new ServerError('DIRECTORY_TAKEN', `${directory} is not empty: nothing was written`);
  }
  await disk.makeDirectory(join(directory, 'identity'), 0o700);
  await writeCredential(disk, directory, 'server-ca', authority);
  await writeCredential(disk, directory, 'backup-ca', backup);
  await writeCredential(disk, directory, 'camera-ca', makeAuthority('Oriel camera CA', now, AUTHORITY_YEARS));
  await writeServer(disk, directory, server, authority);
  const configuration: Configuration = {
    version: 1,
    hosts: [...hosts],
    port,
    pin: spkiPin(authority.certificate),
    backupPin: spkiPin(backup.certificate),
  };
  const text = `${JSON.stringify(configuration, undefined, 2)}\n`;
  await writeFileAtomic(disk, join(directory, 'server.json'), utf8(text), 0o600);
  return configuration;
}

/** @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function loadConfiguration(disk: Disk, directory: string): Promise<Configuration> {
  const text = await readText(disk, join(directory, 'server.json'));
  try {
    return v.parse(Configuration, JSON.parse(text));
  } catch (cause) {
    throw new ServerError('DIRECTORY_MALFORMED', `${directory}/server.json is damaged`, cause);
  }
}

/** What the gate shows and whom it trusts; a server certificate near its end is replaced first. */
export async function loadGateIdentity(
  disk: Disk,
  directory: string,
  { hosts }: Configuration,
  now: Date,
): Promise<GateIdentity> {
  const read = (name: string) => readText(disk, join(directory, 'identity', name));
  const left = new X509Certificate(await read('server.pem')).validToDate.getTime() - now.getTime();
  if (left < RENEWAL_DAYS * DAY_MS) {
    const authority = await readCredential(disk, directory, 'server-ca');
    const server = issueServer(authority, hosts, { from: now, days: SERVER_DAYS });
    await writeServer(disk, directory, server, authority);
  }
  return {
    chain: await read('server.pem'),
    key: await read('server.key'),
    cameraAuthority: await read('camera-ca.pem'),
  };
}

/**
 * Issues a camera's certificate for a PKCS#10 request, PEM or DER; PEM.
 * @throws CryptoError DOCUMENT_MALFORMED, KEY_MALFORMED, DOCUMENT_FORGED; ServerError; HostError.
 */
export async function certifyCamera(
  disk: Disk,
  directory: string,
  { request, days, now }: { readonly request: Uint8Array; readonly days: number; readonly now: Date },
): Promise<{ readonly certificate: string; readonly camera: string }> {
  await loadConfiguration(disk, directory);
  const authority = await readCredential(disk, directory, 'camera-ca');
  const der = request[0] === DER_SEQUENCE ? request : fromPem('CERTIFICATE REQUEST', asText(request));
  const { certificate, camera } = issueClient(authority, der, { from: now, days });
  return { certificate: pem('CERTIFICATE', certificate), camera };
}

const DER_SEQUENCE = 0x30;
/** Of a request's file: PEM is a third longer than DER, and may be wrapped. */
export const MAX_REQUEST_FILE_BYTES = MAX_REQUEST_LENGTH * 2;

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

async function writeCredential(
  disk: Disk,
  directory: string,
  name: Authority,
  { certificate, key }: Credential,
): Promise<void> {
  await writeFileAtomic(disk, join(directory, 'identity', `${name}.key`), keyText(key), 0o600);
  const text = pem('CERTIFICATE', certificate);
  await writeFileAtomic(disk, join(directory, 'identity', `${name}.pem`), utf8(text), 0o600);
}

async function readCredential(disk: Disk, directory: string, name: Authority): Promise<Credential> {
  const certificate = await readText(disk, join(directory, 'identity', `${name}.pem`));
  const key = await readText(disk, join(directory, 'identity', `${name}.key`));
  return { certificate: fromPem('CERTIFICATE', certificate), key: createPrivateKey(key) };
}

async function writeServer(
  disk: Disk,
  directory: string,
  server: Credential,
  authority: Credential,
): Promise<void> {
  const chain = pem('CERTIFICATE', server.certificate) + pem('CERTIFICATE', authority.certificate);
  await writeFileAtomic(disk, join(directory, 'identity', 'server.key'), keyText(server.key), 0o600);
  await writeFileAtomic(disk, join(directory, 'identity', 'server.pem'), utf8(chain), 0o600);
}

function keyText(key: KeyObject): Uint8Array {
  return utf8(key.export({ type: 'pkcs8', format: 'pem' }) as string);
}

async function readText(disk: Disk, path: string): Promise<string> {
  const bytes = await readFileBounded(disk, path, MAX_FILE_BYTES);
  if (bytes === undefined) {
    throw new ServerError(
      'DIRECTORY_MALFORMED',
      `${path} is missing: is this a directory of \`oriel server init\`?`,
    );
  }
  return fromUtf8(bytes);
}
