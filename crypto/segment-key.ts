import { concat, utf8 } from './bytes.ts';
import type { OpeningPrimitives, SealingPrimitives } from './primitives.ts';

/**
 * A segment's AES-128 key and nonce prefix, and the nonces made of it: STREAM (Hoang, Reyhanitabar, Rogaway,
 * Vizár 2015), nonce = prefix(7) ‖ counter(4) ‖ last(1). See docs/reference/format.md, "Segment key".
 */
export interface SegmentKey {
  readonly key: Uint8Array;
  readonly noncePrefix: Uint8Array;
}

const KEY_LENGTH = 16;
const NONCE_PREFIX_LENGTH = 7;
const INFO = utf8('oriel/1 segment\0');

/** HKDF-SHA256 over the session secret, the whole segment header as info (RFC 5869). */
export function deriveSegmentKey(
  secret: Uint8Array,
  header: Uint8Array,
  primitives: SealingPrimitives,
): SegmentKey {
  return split(primitives.hkdf(secret, concat(INFO, header), KEY_LENGTH + NONCE_PREFIX_LENGTH));
}

/** The same where the primitives are asynchronous. */
export async function deriveSegmentKeyAsync(
  secret: Uint8Array,
  header: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'hkdf'>,
): Promise<SegmentKey> {
  return split(await primitives.hkdf(secret, concat(INFO, header), KEY_LENGTH + NONCE_PREFIX_LENGTH));
}

function split(output: Uint8Array): SegmentKey {
  return { key: output.slice(0, KEY_LENGTH), noncePrefix: output.slice(KEY_LENGTH) };
}

/** The nonce of record `counter`; `last` only for the closing record. */
export function recordNonce(prefix: Uint8Array, counter: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce.set(prefix);
  new DataView(nonce.buffer).setUint32(NONCE_PREFIX_LENGTH, counter);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** Associated data of a record: the segment header's hash ‖ the frame's duration ‖ its type. */
export function recordAssociatedData(headerHash: Uint8Array, frame: Uint8Array): Uint8Array {
  return concat(headerHash, frame.subarray(12, 17));
}
