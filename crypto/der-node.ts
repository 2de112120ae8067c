import { type KeyObject, sign } from 'node:crypto';
import forge from 'node-forge';
import { CryptoError } from './errors.ts';

/**
 * DER (X.690) as certificates and requests need it, over node-forge's ASN.1. Loading it costs several
 * megabytes: whoever needs it now and then imports it when needed.
 */

const { asn1 } = forge;
export type Asn1 = forge.asn1.Asn1;

export const OIDS = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

const binary = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const primitive = (type: forge.asn1.Type, value: string) =>
  asn1.create(asn1.Class.UNIVERSAL, type, false, value);

export const sequence = (...children: Asn1[]) =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, children);
export const set = (...children: Asn1[]) => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, children);
export const oid = (dotted: string) => primitive(asn1.Type.OID, asn1.oidToDer(dotted).getBytes());
export const smallInteger = (value: number) =>
  primitive(asn1.Type.INTEGER, asn1.integerToDer(value).getBytes());
export const octets = (bytes: Uint8Array) => primitive(asn1.Type.OCTETSTRING, binary(bytes));
export const utf8String = (text: string) => primitive(asn1.Type.UTF8, binary(Buffer.from(text, 'utf8')));
export const boolean = (value: boolean) => primitive(asn1.Type.BOOLEAN, value ? '\xff' : '\x00');

/** [number] EXPLICIT. */
export const explicit = (number: number, ...children: Asn1[]) =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, number, true, children);
/** [number] IMPLICIT over a string type. */
export const implicit = (number: number, bytes: Uint8Array) =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, number, false, binary(bytes));

/** A positive INTEGER from its big-endian magnitude. */
export function integer(magnitude: Uint8Array): Asn1 {
  const hex = BigInt(`0x${Buffer.from(magnitude).toString('hex')}`).toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const bytes = Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex');
  return primitive(asn1.Type.INTEGER, binary(bytes));
}

/** A BIT STRING; `unused` counts the bits of its last byte that do not belong to it. */
export function bits(bytes: Uint8Array, unused = 0): Asn1 {
  return primitive(asn1.Type.BITSTRING, String.fromCharCode(unused) + binary(bytes));
}

/** UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5); whole seconds. */
export function time(date: Date): Asn1 {
  return date.getUTCFullYear() < 2050
    ? primitive(asn1.Type.UTCTIME, asn1.dateToUtcTime(date))
    : primitive(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

/** A Name of one common name. */
export function commonName(name: string): Asn1 {
  return sequence(set(sequence(oid(OIDS.commonName), utf8String(name))));
}

export function encode(node: Asn1): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1');
}

/** @throws CryptoError DOCUMENT_MALFORMED for anything but one whole value in canonical DER. */
export function decode(der: Uint8Array): Asn1 {
  let node: Asn1;
  try {
    node = asn1.fromDer(binary(der), true);
  } catch (cause) {
    throw new CryptoError('DOCUMENT_MALFORMED', 'the bytes are no DER', cause);
  }
  if (!encode(node).equals(der)) throw new CryptoError('DOCUMENT_MALFORMED', 'the DER is not canonical');
  return node;
}

/** The children of a SEQUENCE. @throws CryptoError DOCUMENT_MALFORMED unless it is one of `count`. */
export function children(node: Asn1 | undefined, count: number): Asn1[] {
  const isSequence = node?.tagClass === asn1.Class.UNIVERSAL && node.type === asn1.Type.SEQUENCE;
  if (!isSequence || !Array.isArray(node.value) || node.value.length !== count) {
    throw new CryptoError('DOCUMENT_MALFORMED', 'the DER is not the structure expected');
  }
  return node.value;
}

/** The content of a BIT STRING of whole bytes. @throws CryptoError DOCUMENT_MALFORMED. */
export function bitStringContent(node: Asn1 | undefined): Buffer {
  const der = node === undefined ? Buffer.alloc(0) : encode(node);
  // Signatures of ours are shorter than 128 bytes: tag, one byte of length, no unused bits.
  if (der[0] !== asn1.Type.BITSTRING || der[1] !== der.length - 2 || der[2] !== 0) {
    throw new CryptoError('DOCUMENT_MALFORMED', 'the signature is no BIT STRING of whole bytes');
  }
  return der.subarray(3);
}

/** AlgorithmIdentifier of ECDSA with SHA-256 (RFC 5758 section 3.2). */
export const signatureAlgorithm = () => sequence(oid(OIDS.ecdsaWithSha256));

/** `body`, the algorithm and the signature over the body: the shape of certificate and request alike. */
export function signed(body: Asn1, key: KeyObject): Buffer {
  const signature = sign('sha256', encode(body), { key, dsaEncoding: 'der' });
  return encode(sequence(body, signatureAlgorithm(), bits(signature)));
}
