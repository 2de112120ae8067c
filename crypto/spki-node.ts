import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { CryptoError } from './errors.ts';
import { ID_LENGTH, idText, POINT_LENGTH } from './header.ts';
import { P256_SPKI_PREFIX } from './primitives-node.ts';

/** A P-256 key's SubjectPublicKeyInfo, DER with the point uncompressed. @throws CryptoError KEY_MALFORMED. */
export function p256Spki(key: KeyObject): Buffer {
  const spki = key.export({ type: 'spki', format: 'der' });
  if (!isP256Spki(spki)) throw new CryptoError('KEY_MALFORMED', 'the key is no P-256 key');
  return spki;
}

function isP256Spki(spki: Buffer): boolean {
  return (
    spki.length === P256_SPKI_PREFIX.length + POINT_LENGTH &&
    spki.subarray(0, P256_SPKI_PREFIX.length).equals(P256_SPKI_PREFIX)
  );
}

/** The id, as text, of the camera whose device key this is. */
export function cameraOfSpki(spki: Uint8Array): string {
  return idText(createHash('sha256').update(spki).digest().subarray(0, ID_LENGTH));
}

/** A certificate's pin, `sha256/` and base64: the hash of its SubjectPublicKeyInfo (RFC 7469 section 2.4). */
export function spkiPin(certificate: Uint8Array): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}
