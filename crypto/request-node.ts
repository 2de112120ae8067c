import { type KeyObject, verify } from 'node:crypto';
import {
  bitStringContent,
  children,
  commonName,
  decode,
  encode,
  explicit,
  sequence,
  signatureAlgorithm,
  signed,
  smallInteger,
} from './der-node.ts';
import { CryptoError } from './errors.ts';
import { p256Spki, readP256Spki } from './spki-node.ts';

/** PKCS#10 certification requests (RFC 2986) for P-256 keys, ecdsa-with-SHA256 (RFC 5758). */

/** The greatest request that is read, bytes of DER. */
export const MAX_REQUEST_LENGTH = 8 * 1024;

/** A request for `key`, signed by it. DER. @throws CryptoError KEY_MALFORMED. */
export function makeRequest(key: KeyObject, name: string): Buffer {
  const spki = decode(p256Spki(key));
  return signed(sequence(smallInteger(0), commonName(name), spki, explicit(0)), key);
}

/**
 * The key that a request is for, once its signature shows that the requester holds it. Nothing else of the
 * request counts.
 * @throws CryptoError DOCUMENT_MALFORMED, KEY_MALFORMED, DOCUMENT_FORGED.
 */
export function readRequest(der: Uint8Array): KeyObject {
  if (der.length > MAX_REQUEST_LENGTH) {
    throw new CryptoError('DOCUMENT_MALFORMED', `a request of ${der.length} bytes is outside the limits`);
  }
  const [info, algorithm, signature] = children(decode(der), 3);
  const [version, , spki] = children(info, 4);
  if (!same(version, smallInteger(0)) || !same(algorithm, signatureAlgorithm())) {
    throw new CryptoError(
      'DOCUMENT_MALFORMED',
      'the request is of an unknown version or signature algorithm',
    );
  }
  if (spki === undefined) throw new CryptoError('DOCUMENT_MALFORMED', 'the request names no key');
  const key = readP256Spki(encode(spki));
  if (
    info === undefined ||
    !verify('sha256', encode(info), { key, dsaEncoding: 'der' }, bitStringContent(signature))
  ) {
    throw new CryptoError('DOCUMENT_FORGED', "the request's signature does not fit its key");
  }
  return key;
}

function same(a: ReturnType<typeof decode> | undefined, b: ReturnType<typeof decode>): boolean {
  return a !== undefined && encode(a).equals(encode(b));
}
