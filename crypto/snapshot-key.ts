import { concat, utf8 } from './bytes.ts';
import type { OpeningPrimitives, SealingPrimitives } from './primitives.ts';

/**
 * The AES-128 key and nonce of one snapshot, from the session's secret under a label of its own: no segment's key or
 * nonce is among what it can give (docs/reference/format.md, "Snapshot").
 */
export interface SnapshotKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

const KEY_LENGTH = 16;
const NONCE_LENGTH = 12;
const INFO = utf8('oriel/1 snapshot key\0');

/** HKDF-SHA256 over the session secret, the whole snapshot header as info (RFC 5869). */
export function deriveSnapshotKey(
  secret: Uint8Array,
  header: Uint8Array,
  primitives: Pick<SealingPrimitives, 'hkdf'>,
): SnapshotKey {
  return split(primitives.hkdf(secret, concat(INFO, header), KEY_LENGTH + NONCE_LENGTH));
}

/** The same where the primitives are asynchronous. */
export async function deriveSnapshotKeyAsync(
  secret: Uint8Array,
  header: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'hkdf'>,
): Promise<SnapshotKey> {
  return split(await primitives.hkdf(secret, concat(INFO, header), KEY_LENGTH + NONCE_LENGTH));
}

function split(output: Uint8Array): SnapshotKey {
  return { key: output.slice(0, KEY_LENGTH), nonce: output.slice(KEY_LENGTH) };
}
