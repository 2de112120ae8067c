import { concat, equal } from './bytes.ts';
import { CryptoError } from './errors.ts';

/**
 * Public keys on P-256 in their one spelling: the point uncompressed, `04 ‖ x ‖ y` (SEC 1 section 2.3.3), in a
 * SubjectPublicKeyInfo that names the curve (RFC 5480 section 2.1.1). Compressed and hybrid points (02, 03, 06, 07)
 * and explicit curve parameters are refused: ids are hashes over these bytes, so one key has one id.
 */

/** Of an uncompressed point, bytes. */
export const POINT_LENGTH = 65;
const UNCOMPRESSED = 0x04;

/** DER of the SubjectPublicKeyInfo up to the point. */
const SPKI_PREFIX = Uint8Array.from([
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
  0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
]);

/** Whether the bytes are written as a point is. Whether it lies on the curve is seen when the key is used. */
export function isP256Point(bytes: Uint8Array): boolean {
  return bytes.length === POINT_LENGTH && bytes[0] === UNCOMPRESSED;
}

/** The SubjectPublicKeyInfo, DER. @throws CryptoError KEY_MALFORMED. */
export function spkiOfPoint(point: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!isP256Point(point)) throw malformed();
  return concat(SPKI_PREFIX, point);
}

/** The point, 65 bytes. @throws CryptoError KEY_MALFORMED for anything but the one spelling. */
export function pointOfSpki(spki: Uint8Array): Uint8Array {
  const point = spki.subarray(SPKI_PREFIX.length);
  if (!equal(spki.subarray(0, SPKI_PREFIX.length), SPKI_PREFIX) || !isP256Point(point)) throw malformed();
  return point;
}

const malformed = () =>
  new CryptoError('KEY_MALFORMED', 'the key is no P-256 key, or not written as an uncompressed point');
