import * as v from 'valibot';
import { toBase64Url } from './bytes.ts';
import { type Ed25519Pair, isLowOrder, PUBLIC_KEY_LENGTH } from './curves.ts';
import { bytesField, Envelope, openDocument, signDocument } from './document.ts';
import { CryptoError } from './errors.ts';
import { idText } from './header.ts';
import type { OpeningPrimitives } from './primitives.ts';
import type { Recipient } from './session.ts';

/**
 * The public halves of a viewer's day keys, in batches that the viewer signs (docs/reference/format.md, "Day keys"). What a batch
 * is good for only an owner's policy says, which names it by the SHA-256 of its signed bytes.
 */

const DAY_KEYS_TYPE = 'application/vnd.oriel.day-keys.v1+json';
export const MAX_DAY_KEYS_PER_BATCH = 400;

const dayKey = v.pipe(
  bytesField(PUBLIC_KEY_LENGTH),
  v.check((key) => !isLowOrder(key)),
);

const DayKeysDocument = v.strictObject({
  /** Number of the first key; the others follow it. */
  first: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffffffff - MAX_DAY_KEYS_PER_BATCH)),
  /** X25519 public keys; one of low order would seal to everybody. */
  keys: v.pipe(v.array(dayKey), v.minLength(1), v.maxLength(MAX_DAY_KEYS_PER_BATCH)),
});

/** A batch as it lies in a file: whose it is said to be, and what that viewer signed. */
export const SignedBatch = v.strictObject({ viewer: bytesField(PUBLIC_KEY_LENGTH), batch: Envelope });
export type SignedBatch = v.InferOutput<typeof SignedBatch>;
/** The same, as JSON. */
export type SignedBatchText = v.InferInput<typeof SignedBatch>;

/** A batch of day keys to be signed by its viewer. */
export interface DayKeyBatch {
  readonly first: number;
  readonly keys: readonly Uint8Array[];
}

/** One viewer's public day keys, by number, and the lowest number that may be used. */
export interface ViewerDayKeys {
  /** Viewer id, 20 bytes. */
  readonly viewer: Uint8Array;
  readonly floor: number;
  readonly keys: ReadonlyMap<number, Uint8Array>;
}

export function signDayKeys(batch: DayKeyBatch, viewer: Ed25519Pair): SignedBatchText {
  const document = { first: batch.first, keys: batch.keys.map(toBase64Url) };
  return { viewer: toBase64Url(viewer.publicKey), batch: signDocument(DAY_KEYS_TYPE, document, viewer) };
}

/**
 * The keys of a viewer's batches by number.
 * @param identity the viewer's Ed25519 public key.
 * @throws CryptoError DOCUMENT_MALFORMED, DOCUMENT_FORGED.
 */
export async function openBatches(
  batches: readonly Envelope[],
  identity: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify'>,
): Promise<Map<number, Uint8Array>> {
  const keys = new Map<number, Uint8Array>();
  for (const batch of batches) {
    const document = await openDocument(batch, DAY_KEYS_TYPE, DayKeysDocument, identity, primitives);
    document.keys.forEach((key, index) => {
      const number = document.first + index;
      if (keys.has(number)) {
        throw new CryptoError('DOCUMENT_MALFORMED', `day keys: two batches hold a key of number ${number}`);
      }
      keys.set(number, key);
    });
  }
  return keys;
}

/** The numbers at or above a viewer's floor, ascending. Below it there is no key that may be sealed to. */
export function usableNumbers({ floor, keys }: Pick<ViewerDayKeys, 'floor' | 'keys'>): number[] {
  return [...keys.keys()].filter((number) => number >= floor).sort((a, b) => a - b);
}

/**
 * Whom a session's secret is sealed to: a viewer whose number is missing, not held or below its floor is left out.
 * @param numbers the day key that is due for each viewer, by viewer id as text.
 */
export function recipientsOf(
  viewers: readonly ViewerDayKeys[],
  numbers: ReadonlyMap<string, number>,
): readonly Recipient[] {
  return viewers.flatMap(({ viewer, floor, keys }) => {
    const dayKey = numbers.get(idText(viewer));
    const publicKey = dayKey === undefined || dayKey < floor ? undefined : keys.get(dayKey);
    return dayKey === undefined || publicKey === undefined ? [] : [{ viewer, dayKey, publicKey }];
  });
}

/** The viewers whose newest day key lies below their floor: nothing is sealed to them. */
export function viewersBelowFloor(viewers: readonly ViewerDayKeys[]): readonly ViewerDayKeys[] {
  return viewers.filter((viewer) => usableNumbers(viewer).length === 0);
}
