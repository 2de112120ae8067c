import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  type Asn1,
  bits,
  boolean,
  children,
  commonName,
  decode,
  encode,
  explicit,
  implicit,
  integer,
  OIDS,
  octets,
  oid,
  sequence,
  signatureAlgorithm,
  signed,
  smallInteger,
  time,
} from './der-node.ts';
import { CryptoError } from './errors.ts';
import { parseHostName } from './host-name.ts';
import { readRequest } from './request-node.ts';
import { cameraOfSpki, p256Spki } from './spki-node.ts';

/** X.509 v3 certificates (RFC 5280) for P-256 keys: two small authorities and what they issue. */

/** A certificate, DER, and the private key of its subject. */
export interface Credential {
  readonly certificate: Uint8Array;
  readonly key: KeyObject;
}

export interface Validity {
  /** When it begins. */
  readonly from: Date;
  readonly days: number;
}

const DAY_MS = 86_400_000;
const SERIAL_LENGTH = 16;
const KEY_IDENTIFIER_LENGTH = 20;
/** KeyUsage bits as RFC 5280 section 4.2.1.3 numbers them, first bit first. */
const DIGITAL_SIGNATURE = { bits: 0b1000_0000, unused: 7 };
const KEY_CERT_SIGN = { bits: 0b0000_0100, unused: 2 };

/**
 * A key and its self-signed certificate, which may sign end certificates and nothing else.
 * @param key P-256, of an authority that there was before; a fresh one otherwise.
 * @throws CryptoError KEY_MALFORMED for another kind of key.
 */
export function makeAuthority(name: string, from: Date, years: number, key?: KeyObject): Credential {
  const privateKey = key ?? freshKey().privateKey;
  const to = new Date(from);
  to.setUTCFullYear(to.getUTCFullYear() + years);
  const spki = p256Spki(privateKey);
  const extensions = [
    extension(OIDS.basicConstraints, true, sequence(boolean(true), smallInteger(0))),
    keyUsage(KEY_CERT_SIGN),
    subjectKeyIdentifier(spki),
  ];
  const subject = commonName(name);
  const certificate = certify({ issuer: subject, subject, from, to, spki, extensions }, privateKey);
  return { certificate, key: privateKey };
}

/**
 * A fresh key and a certificate for a server of these DNS names and IP addresses.
 * @throws CryptoError KEY_MALFORMED for a host that is neither.
 */
export function issueServer(authority: Credential, hosts: readonly string[], validity: Validity): Credential {
  const { privateKey, publicKey } = freshKey();
  const names = hosts.map(parseHostName).map((host) =>
    // GeneralName (RFC 5280 section 4.2.1.6): dNSName is [2], iPAddress [7].
    host.kind === 'dns' ? implicit(2, Buffer.from(host.name, 'ascii')) : implicit(7, host.bytes),
  );
  if (names.length === 0)
    throw new CryptoError('KEY_MALFORMED', 'a server certificate names at least one host');
  const certificate = issue(authority, 'Oriel server', p256Spki(publicKey), validity, [
    extendedKeyUsage(OIDS.serverAuth),
    extension(OIDS.subjectAltName, false, sequence(...names)),
  ]);
  return { certificate, key: privateKey };
}

/**
 * A camera's certificate for the key of a PKCS#10 request. Its subject is the id that follows from the key,
 * whatever the request says.
 * @throws CryptoError DOCUMENT_MALFORMED, KEY_MALFORMED, DOCUMENT_FORGED.
 */
export function issueClient(
  authority: Credential,
  request: Uint8Array,
  validity: Validity,
): { readonly certificate: Uint8Array; readonly camera: string } {
  const spki = p256Spki(readRequest(request));
  const camera = cameraOfSpki(spki);
  const certificate = issue(authority, camera, spki, validity, [extendedKeyUsage(OIDS.clientAuth)]);
  return { certificate, camera };
}

/** PEM (RFC 7468) of a DER value. */
export function pem(label: 'CERTIFICATE' | 'CERTIFICATE REQUEST', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The DER in a PEM text of one block. @throws CryptoError DOCUMENT_MALFORMED. */
export function fromPem(label: 'CERTIFICATE' | 'CERTIFICATE REQUEST', text: string): Buffer {
  const block = new RegExp(`^\\s*-----BEGIN ${label}-----\\s([A-Za-z0-9+/=\\s]+)-----END ${label}-----\\s*$`);
  const body = block.exec(text)?.[1];
  if (body === undefined) throw new CryptoError('DOCUMENT_MALFORMED', `the text is no PEM of a ${label}`);
  return Buffer.from(body, 'base64');
}

function freshKey() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function issue(
  authority: Credential,
  name: string,
  spki: Uint8Array,
  validity: Validity,
  uses: Asn1[],
): Buffer {
  const issuerSpki = p256Spki(authority.key);
  const to = new Date(validity.from.getTime() + validity.days * DAY_MS);
  const extensions = [
    extension(OIDS.basicConstraints, true, sequence()),
    keyUsage(DIGITAL_SIGNATURE),
    ...uses,
    subjectKeyIdentifier(spki),
    extension(OIDS.authorityKeyIdentifier, false, sequence(implicit(0, keyIdentifier(issuerSpki)))),
  ];
  const issuer = subjectOf(authority.certificate);
  const subject = commonName(name);
  return certify({ issuer, subject, from: validity.from, to, spki, extensions }, authority.key);
}

interface Body {
  readonly issuer: Asn1;
  readonly subject: Asn1;
  readonly from: Date;
  readonly to: Date;
  readonly spki: Uint8Array;
  readonly extensions: readonly Asn1[];
}

/** TBSCertificate (RFC 5280 section 4.1), signed. */
function certify(body: Body, key: KeyObject): Buffer {
  const tbs = sequence(
    explicit(0, smallInteger(2)),
    integer(randomBytes(SERIAL_LENGTH)),
    signatureAlgorithm(),
    body.issuer,
    sequence(time(body.from), time(body.to)),
    body.subject,
    decode(body.spki),
    explicit(3, sequence(...body.extensions)),
  );
  return signed(tbs, key);
}

function subjectOf(certificate: Uint8Array): Asn1 {
  const [tbs] = children(decode(certificate), 3);
  const subject = children(tbs, 8)[5];
  if (subject === undefined) throw new CryptoError('DOCUMENT_MALFORMED', 'the certificate has no subject');
  return subject;
}

function extension(id: string, critical: boolean, value: Asn1): Asn1 {
  const content = octets(encode(value));
  return critical ? sequence(oid(id), boolean(true), content) : sequence(oid(id), content);
}

function keyUsage(usage: { readonly bits: number; readonly unused: number }): Asn1 {
  return extension(OIDS.keyUsage, true, bits(Uint8Array.of(usage.bits), usage.unused));
}

function extendedKeyUsage(purpose: string): Asn1 {
  return extension(OIDS.extendedKeyUsage, false, sequence(oid(purpose)));
}

function subjectKeyIdentifier(spki: Uint8Array): Asn1 {
  return extension(OIDS.subjectKeyIdentifier, false, octets(keyIdentifier(spki)));
}

/** RFC 7093 section 2, method 4: the first 160 bits of SHA-256 over the SubjectPublicKeyInfo. */
function keyIdentifier(spki: Uint8Array): Buffer {
  return createHash('sha256').update(spki).digest().subarray(0, KEY_IDENTIFIER_LENGTH);
}
