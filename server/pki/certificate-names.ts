import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Disk } from '../../host/disk.ts';
import { identityFile, readText } from '../config.ts';

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
export function namesIn(certificate: X509Certificate): string[] {
  const entries = certificate.subjectAltName?.split(', ') ?? [];
  return entries.flatMap((entry) => SAN_ENTRY.exec(entry)?.[1] ?? []);
}

/** The server's own certificate as it lies on disk. @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function readServerCertificate(disk: Disk, directory: string): Promise<X509Certificate> {
  return new X509Certificate(await readText(disk, identityFile(directory, 'server.pem')));
}
