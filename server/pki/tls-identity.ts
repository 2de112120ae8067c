import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { readCertificate } from '../../crypto/certificate.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { type Configuration, identityFile, readText } from '../config.ts';
import { ServerError } from '../errors.ts';
import type { TlsIdentity } from '../http/tls-server.ts';
import type { Log } from '../log.ts';

/** What the server's certificate says it is for (RFC 9525: subjectAltName alone). */

const SAN_ENTRY = /^(?:DNS|IP Address):(.+)$/;
/** The subject counts for nothing: camera and browser go by subjectAltName. */
const BY_NAME_ALONE = { subject: 'never', wildcards: false } as const;

/** Whether the certificate names this host, a DNS name or an IP address without brackets. */
export function namesHost(certificate: X509Certificate, host: string): boolean {
  const found = isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host, BY_NAME_ALONE);
  return found !== undefined;
}

/** The names and addresses that it carries, as OpenSSL prints them. */
function namesIn(certificate: X509Certificate): string[] {
  const entries = certificate.subjectAltName?.split(', ') ?? [];
  return entries.flatMap((entry) => SAN_ENTRY.exec(entry)?.[1] ?? []);
}

/** The server's own certificate as it lies on disk. @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function readServerCertificate(disk: Disk, directory: string): Promise<X509Certificate> {
  return new X509Certificate(await readText(disk, identityFile(directory, 'server.pem')));
}

const DAY_MS = 86_400_000;
/** A server certificate with less than this left is issued anew at the next start. */
const RENEWAL_DAYS = 365;

/**
 * What the gate shows and whom it trusts. A server certificate near its end, of another CA than server.json names, that does
 * not name each of its hosts, or whose renewal was cut off between its files, is issued anew first.
 * @param now undefined while the machine's clock is certainly wrong: then nothing is near its end, and names wait.
 * @throws ServerError DIRECTORY_MALFORMED; CLOCK_WRONG when a certificate has to be issued and there is no time to date it
 * by; HostError.
 */
export async function loadTlsIdentity(
  disk: Disk,
  directory: string,
  configuration: Configuration,
  now: Date | undefined,
  log?: Pick<Log, 'info' | 'warn'>,
): Promise<TlsIdentity> {
  const read = (name: string) => readText(disk, identityFile(directory, name));
  if (!isUsable(await read('server.pem'), await read('server.key'), configuration, now)) {
    const before = await readServerCertificate(disk, directory);
    const [{ settleAuthorities }, { renewServer }] = await Promise.all([
      import('./promotion.ts'),
      import('./identity.ts'),
    ]);
    if (now === undefined) {
      throw new ServerError(
        'CLOCK_WRONG',
        "the server needs a new certificate, and this machine's clock is wrong: set it (timedatectl set-ntp true), and start again",
      );
    }
    try {
      await settleAuthorities(disk, directory, configuration);
      await renewServer(disk, directory, configuration.hosts, now);
      if (log) tellNames(log, before, await readServerCertificate(disk, directory));
    } catch (error) {
      // On a disk without room it serves with what it has, while that is good; the next start tries again.
      const left = isUsable(await read('server.pem'), await read('server.key'), configuration, undefined);
      const ended = readCertificate(before.raw).notAfterMs <= now.getTime();
      if (!(error instanceof HostError) || !left || ended) throw error;
      log?.warn({ code: error.code }, 'the server’s certificate is not renewed: its disk cannot be written');
    }
  }
  return {
    chain: await read('server.pem'),
    key: await read('server.key'),
    cameraAuthority: await read('camera-ca.pem'),
  };
}

function tellNames(log: Pick<Log, 'info' | 'warn'>, before: X509Certificate, after: X509Certificate): void {
  log.info({ hosts: namesIn(after) }, 'the server has a new certificate');
  const dropped = namesIn(before).filter((host) => !namesHost(after, host));
  if (dropped.length === 0) return;
  log.warn(
    { dropped },
    'names that server.json has no more are not in it: a camera that dials one of them is lost until they are put back',
  );
}

/** @param configuration of it: the pin of the CA, and the names that cameras dial. */
function isUsable(
  chain: string,
  key: string,
  { pin, hosts }: Pick<Configuration, 'pin' | 'hosts'>,
  now: Date | undefined,
): boolean {
  const certificate = new X509Certificate(chain);
  const { notAfterMs } = readCertificate(certificate.raw);
  const authority = new X509Certificate(chain.slice(chain.lastIndexOf('-----BEGIN')));
  return (
    (now === undefined || notAfterMs - now.getTime() >= RENEWAL_DAYS * DAY_MS) &&
    certificate.checkPrivateKey(createPrivateKey(key)) &&
    (now === undefined || hosts.every((host) => namesHost(certificate, host))) &&
    spkiPin(authority.raw) === pin
  );
}
