import nacl from 'tweetnacl';
import { ID_LENGTH } from './header.ts';
import type { OpeningPrimitives } from './primitives.ts';

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
