import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { OpeningPrimitives, SealingPrimitives } from './primitives.ts';
import { keyOfPoint } from './spki-node.ts';

const TAG_LENGTH = 16;
const EMPTY = new Uint8Array(0);

/** DER of an Ed25519 SubjectPublicKeyInfo up to the key (RFC 8410 section 4). */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const ed25519Key = (key: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([ED25519_SPKI_PREFIX, key]), format: 'der', type: 'spki' });

/** False, never an exception, for a key that is no key: the caller's refusal is the same. */
function verifies(
  digest: string | null,
  readKey: () => KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(digest, message, { key: readKey(), dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

/** Node's primitives (OpenSSL). */
export const nodePrimitives: SealingPrimitives & OpeningPrimitives = {
  random: (length) => randomBytes(length),
  sha256,
  hkdf: (secret, info, length) => new Uint8Array(hkdfSync('sha256', secret, EMPTY, info, length)),

  aesGcmSealInto(key, nonce, associated, plaintext, out, at) {
    const cipher = createCipheriv('aes-128-gcm', key, nonce, { authTagLength: TAG_LENGTH });
    cipher.setAAD(associated);
    const sealed = cipher.update(plaintext);
    out.set(sealed, at);
    // Freed now and not by the garbage collector's leave, its pages are still in the cache for the next record.
    sealed.buffer.transfer(0);
    cipher.final();
    out.set(cipher.getAuthTag(), at + plaintext.length);
  },

  aesGcmOpen(key, nonce, associated, sealed) {
    if (sealed.length < TAG_LENGTH) return undefined;
    const split = sealed.length - TAG_LENGTH;
    const decipher = createDecipheriv('aes-128-gcm', key, nonce, { authTagLength: TAG_LENGTH });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(split));
    const plaintext = decipher.update(sealed.subarray(0, split));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plaintext;
  },

  ecdsaVerify: (point, message, signature) => verifies('sha256', () => keyOfPoint(point), message, signature),
  ed25519Verify: (publicKey, message, signature) =>
    verifies(null, () => ed25519Key(publicKey), message, signature),
  crc32: (data, seed = 0) => crc32(data, seed),
};
