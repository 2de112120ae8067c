import nacl from 'tweetnacl';
import { equal } from './bytes.ts';
import { ID_LENGTH } from './header.ts';
import type { OpeningPrimitives } from './primitives.ts';

/**
 * X25519 public keys whose shared secret is zero, whatever the private key: the u-coordinates of the points of
 * order 1, 2, 4 and 8 on the curve and its twist, and those not reduced by 2^255 - 19 (RFC 7748 sections 5 and 6.1).
 */
const LOW_ORDER = [
  encoding(0x00),
  encoding(0x01),
  Uint8Array.from([
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
    0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
  ]),
  Uint8Array.from([
    0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
    0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
  ]),
  encoding(0xec, 0xff, 0x7f),
  encoding(0xed, 0xff, 0x7f),
  encoding(0xee, 0xff, 0x7f),
];

/** Little-endian: the first byte, 30 bytes of `fill`, the last. */
function encoding(first: number, fill = 0, last = 0): Uint8Array {
  const point = new Uint8Array(32).fill(fill);
  point[0] = first;
  point[31] = last;
  return point;
}

/** Whether a public key of 32 bytes would give a shared secret of zero (RFC 7748 section 6.1). */
export function isLowOrder(publicKey: Uint8Array): boolean {
  const masked = publicKey.slice();
  masked[31] = (masked[31] as number) & 0x7f;
  return LOW_ORDER.some((point) => equal(point, masked));
}

/**
 * Ed25519 (RFC 8032) for people's identities. tweetnacl signs; to verify, tweetnacl and the platform must both
 * accept, since tweetnacl alone lets malleable signatures and small-order keys pass.
 */

export const SEED_LENGTH = 32;
export const PUBLIC_KEY_LENGTH = 32;
const SIGNATURE_LENGTH = 64;

export interface Ed25519Pair {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** @param seed 32 random bytes (RFC 8032 section 5.1.5). */
export function ed25519FromSeed(seed: Uint8Array): Ed25519Pair {
  const pair = nacl.sign.keyPair.fromSeed(seed);
  return {
    publicKey: pair.publicKey,
    sign: (message) => nacl.sign.detached(message, pair.secretKey),
  };
}

export async function ed25519Verify(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify'>,
): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_LENGTH || signature.length !== SIGNATURE_LENGTH) return false;
  // The platform first: it refuses a hundred times faster.
  return (
    (await primitives.ed25519Verify(publicKey, message, signature)) &&
    nacl.sign.detached.verify(message, signature, publicKey)
  );
}

/** A viewer's id: the first 20 bytes of SHA-256 over the identity key. */
export async function viewerIdOf(publicKey: Uint8Array, primitives: Pick<OpeningPrimitives, 'sha256'>) {
  return (await primitives.sha256(publicKey)).slice(0, ID_LENGTH);
}
