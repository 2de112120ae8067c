import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import forge from 'node-forge';
import { type Credential, makeAuthority } from '../../crypto/certificate-node.ts';
import {
  type Asn1,
  bits,
  boolean,
  commonName,
  decode,
  encode,
  explicit,
  octets,
  oid,
  sequence,
  signatureAlgorithm,
  signed,
  smallInteger,
} from '../../crypto/der-node.ts';
import { p256Spki } from '../../crypto/spki-node.ts';

/**
 * Certificates that no honest tool writes, each signed by a CA that is pinned: only how they are written can be the
 * reason for which they are refused.
 */

const { asn1 } = forge;
export const utcTime = (text: string) => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.UTCTIME, false, text);
export const generalizedTime = (text: string) =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.GENERALIZEDTIME, false, text);

export interface OddOptions {
  readonly key?: KeyObject;
  /** DER of the SubjectPublicKeyInfo, where it is not the key's own. */
  readonly spki?: Uint8Array;
  readonly from?: Asn1;
  readonly to?: Asn1;
  /** 2 stands for version 3; undefined leaves it out, which stands for version 1. */
  readonly version?: number | undefined;
  readonly extensions?: readonly Asn1[];
  readonly usage?: 'serverAuth' | 'clientAuth';
}

export const START = new Date('2026-01-01T00:00:00Z');
export const extension = (id: string, critical: boolean, value: Asn1): Asn1 =>
  critical
    ? sequence(oid(id), boolean(true), octets(encode(value)))
    : sequence(oid(id), octets(encode(value)));

const PURPOSE = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' };

/** Extensions of an honest end certificate. */
export const honestExtensions = (usage: 'serverAuth' | 'clientAuth' = 'serverAuth'): Asn1[] => [
  extension('2.5.29.19', true, sequence()),
  extension('2.5.29.15', true, bits(Uint8Array.of(0x80), 7)),
  extension('2.5.29.37', false, sequence(oid(PURPOSE[usage]))),
  extension('2.5.29.17', false, sequence(dnsName('camera.test'))),
];

export const dnsName = (name: string) => asn1.create(asn1.Class.CONTEXT_SPECIFIC, 2, false, name);
export const newKey = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
export const newAuthority = (name = 'Root', key?: KeyObject, from = START, years = 30): Credential =>
  makeAuthority(name, from, years, key);

/** A certificate that `authority` signed. DER. */
export function oddCertificate(authority: Credential, name: string, wish: OddOptions = {}): Buffer {
  const version = 'version' in wish ? wish.version : 2;
  const tbs = sequence(
    ...(version === undefined ? [] : [explicit(0, smallInteger(version))]),
    smallInteger(77),
    signatureAlgorithm(),
    commonName(name),
    sequence(wish.from ?? utcTime('260101000000Z'), wish.to ?? utcTime('360101000000Z')),
    commonName('leaf'),
    decode(wish.spki ?? p256Spki(wish.key ?? newKey())),
    explicit(3, sequence(...(wish.extensions ?? honestExtensions(wish.usage)))),
  );
  return signed(tbs, authority.key);
}

/** Spellings of one P-256 key's SubjectPublicKeyInfo, the honest one first. */
export function spellings(key: KeyObject): Record<string, Buffer> {
  const honest = Buffer.from(p256Spki(key));
  const [prefix, point] = [honest.subarray(0, -65), honest.subarray(-65)];
  const odd = (point[64] as number) & 1;
  const hybrid = Buffer.concat([prefix, Buffer.of(6 + odd), point.subarray(1)]);
  return {
    honest,
    hybrid,
    'hybrid of the wrong parity': hybrid.with(prefix.length, 7 - odd) as Buffer,
    compressed: spki(NAMED, Buffer.concat([Buffer.of(2 + odd), point.subarray(1, 33)])),
    'bytes after the point': spki(NAMED, Buffer.concat([point, Buffer.of(0)])),
    'bytes after the key': encode(
      sequence(sequence(oid(EC_KEY), NAMED), bits(point), asn1.create(0, asn1.Type.NULL, false, '')),
    ),
    'explicit parameters': spki(explicitParameters(), point),
  };
}

const EC_KEY = '1.2.840.10045.2.1';
const NAMED = oid('1.2.840.10045.3.1.7');
const spki = (parameters: Asn1, point: Uint8Array) =>
  encode(sequence(sequence(oid(EC_KEY), parameters), bits(point)));

/** P-256 by its numbers (SEC 2 section 2.4.2) in place of its name (RFC 3279 section 2.3.5). */
function explicitParameters(): Asn1 {
  const hex = (text: string) => Buffer.from(text, 'hex');
  const number = (text: string) =>
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, hex(`00${text}`).toString('latin1'));
  const p = 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff';
  const a = 'ffffffff00000001000000000000000000000000fffffffffffffffffffffffc';
  const b = '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b';
  const g =
    '046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5';
  const n = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  return sequence(
    smallInteger(1),
    sequence(oid('1.2.840.10045.1.1'), number(p)),
    sequence(octets(hex(a)), octets(hex(b))),
    octets(hex(g)),
    number(n),
    smallInteger(1),
  );
}
