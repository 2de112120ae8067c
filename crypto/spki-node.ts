import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { readCertificate } from './certificate.ts';
import { CryptoError } from './errors.ts';
import { ID_LENGTH, idText } from './header.ts';
import { pointOfSpki, spkiOfPoint } from './p256.ts';

/** Node's keys to the one spelling of a P-256 public key (p256.ts) and back. */

/**
 * A key's point, `04 ‖ x ‖ y`, however the key was written where it came from.
 * @param key private or public.
 * @throws CryptoError KEY_MALFORMED for another kind of key.
 */
export function p256Point(key: KeyObject): Uint8Array {
  return pointOfSpki(p256Spki(key));
}

/** A key's SubjectPublicKeyInfo, DER. @param key private or public. @throws CryptoError KEY_MALFORMED. */
export function p256Spki(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new CryptoError('KEY_MALFORMED', 'the key is no P-256 key');
  }
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  // Its DER would keep the spelling in which it was read.
  const { x, y } = publicKey.export({ format: 'jwk' });
  const coordinate = (text = '') => Buffer.from(text, 'base64url');
  return spkiOfPoint(Buffer.concat([Uint8Array.of(4), coordinate(x), coordinate(y)]));
}

/** The key that a foreign SubjectPublicKeyInfo holds. @throws CryptoError KEY_MALFORMED unless in its one spelling. */
export function readP256Spki(der: Uint8Array): KeyObject {
  return keyOfPoint(pointOfSpki(der));
}

/** @throws CryptoError KEY_MALFORMED for anything but an uncompressed point of the curve. */
export function keyOfPoint(point: Uint8Array): KeyObject {
  const spki = spkiOfPoint(point);
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new CryptoError('KEY_MALFORMED', 'the point is not on the curve', cause);
  }
}

/** The id, as text, of the camera whose device key this is. @throws CryptoError KEY_MALFORMED. */
export function cameraOfSpki(spki: Uint8Array): string {
  pointOfSpki(spki);
  return idText(createHash('sha256').update(spki).digest().subarray(0, ID_LENGTH));
}

/**
 * A certificate's pin, `sha256/` and base64: the hash of its SubjectPublicKeyInfo (RFC 7469 section 2.4).
 * @param certificate DER.
 * @throws CryptoError DOCUMENT_MALFORMED.
 */
export function spkiPin(certificate: Uint8Array): string {
  return `sha256/${createHash('sha256').update(readCertificate(certificate).spki).digest('base64')}`;
}
