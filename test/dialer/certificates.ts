import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Certificates made by the openssl command, hostile ones among them: a maker other than our own code, and
 * one that signs anything.
 */

export interface Certificate {
  readonly pem: string;
  readonly key: string;
}

export interface Wanted {
  readonly name: string;
  /** Lines of an openssl extension section. */
  readonly extensions: readonly string[];
  /** Arguments of `openssl genpkey`. */
  readonly key?: readonly string[];
  /** `20250101000000Z`; the beginning is now and the end in 10 days when left out. */
  readonly from?: string;
  readonly to?: string;
  readonly hash?: string;
}

const EC_P256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];

export const CA_EXTENSIONS = [
  'basicConstraints=critical,CA:TRUE',
  'keyUsage=critical,keyCertSign',
  'subjectKeyIdentifier=hash',
];
export const SERVER_EXTENSIONS = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature',
  'extendedKeyUsage=serverAuth',
  'subjectAltName=DNS:camera.test,IP:127.0.0.1',
];
export const CLIENT_EXTENSIONS = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth'];

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function makeKey(kind: readonly string[] = EC_P256): string {
  return openssl('genpkey', ...kind);
}

/** A certificate signed by `issuer`; by itself without one. */
export function certificate(wanted: Wanted, issuer?: Certificate): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'oriel-certificates-'));
  const file = (name: string, text: string) => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
  try {
    const key = makeKey(wanted.key);
    const keyFile = file('key', key);
    const issuerKey = issuer ? file('issuer.key', issuer.key) : keyFile;
    const csr = join(dir, 'csr');
    openssl('req', '-new', '-key', keyFile, '-subj', `/CN=${wanted.name}`, '-out', csr);
    const config = file('config', [...CA_CONFIG(dir), '[ext]', ...wanted.extensions, ''].join('\n'));
    file('index', '');
    file('serial', randomBytes(8).toString('hex'));
    const out = join(dir, 'out');
    const dates = [
      ...(wanted.from ? ['-startdate', wanted.from] : []),
      ...(wanted.to ? ['-enddate', wanted.to] : []),
    ];
    openssl(
      ...['ca', '-batch', '-notext', '-config', config, '-in', csr, '-out', out],
      ...['-keyfile', issuerKey, '-md', wanted.hash ?? 'sha256', ...dates],
      ...(issuer ? ['-cert', file('issuer', issuer.pem)] : ['-selfsign']),
    );
    return { pem: readFileSync(out, 'utf8'), key };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const CA_CONFIG = (dir: string) => [
  '[ca]',
  'default_ca=it',
  '[it]',
  `database=${join(dir, 'index')}`,
  `serial=${join(dir, 'serial')}`,
  `new_certs_dir=${dir}`,
  'default_days=10',
  'policy=any',
  'x509_extensions=ext',
  'unique_subject=no',
  '[any]',
  'commonName=supplied',
];

export function authority(name: string, change: Partial<Wanted> = {}, issuer?: Certificate): Certificate {
  return certificate({ name, extensions: CA_EXTENSIONS, ...change }, issuer);
}

export function server(issuer: Certificate, change: Partial<Wanted> = {}): Certificate {
  return certificate({ name: 'server', extensions: SERVER_EXTENSIONS, ...change }, issuer);
}

/** PEM texts as one chain. */
export function chainOf(...certificates: readonly Certificate[]): string {
  return certificates.map(({ pem }) => pem).join('');
}

export function der({ pem }: Certificate): Uint8Array {
  const body = pem.replaceAll(/-----[A-Z ]+-----/g, '');
  return new Uint8Array(Buffer.from(body, 'base64'));
}
