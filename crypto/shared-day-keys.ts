import * as v from 'valibot';
import { equal } from './bytes.ts';
import { ed25519FromSeed } from './curves.ts';
import {
  MAX_DAY_KEYS_PER_BATCH,
  openBatches,
  SignedBatch,
  type SignedBatchText,
  signDayKeys,
} from './day-keys.ts';
import { parseJson } from './document.ts';
import { CryptoError } from './errors.ts';
import { MAX_BATCHES } from './policy-fields.ts';
import type { OpeningPrimitives } from './primitives.ts';
import type { ViewingKey } from './viewing-key.ts';

/**
 * What a viewer hands to the owner of a camera: their identity and the public halves of their day keys. It holds no secret
 * (docs/reference/format.md, "Shared day keys").
 */

export const MAX_SHARED_BYTES = 256 * 1024;

const SharedFile = v.strictObject({
  type: v.literal('oriel-day-keys'),
  version: v.literal(1),
  /** Whose they are, for display: nobody has checked it. */
  name: v.pipe(v.string(), v.maxLength(100)),
  /** All of one viewer. */
  dayKeys: v.pipe(v.array(SignedBatch), v.minLength(1), v.maxLength(MAX_BATCHES)),
});

export interface SharedDayKeys {
  readonly name: string;
  /** Ed25519 public key. */
  readonly identity: Uint8Array<ArrayBuffer>;
  /** As they go into a policy file. */
  readonly batches: readonly SignedBatchText[];
  /** Of the keys in them, ascending. */
  readonly numbers: readonly number[];
}

/** A viewing key's own: its newest 400 day keys, as one batch. */
export function shareDayKeys({ name, seed, dayKeys }: ViewingKey): SharedDayKeys {
  const viewer = ed25519FromSeed(seed);
  const days = [...dayKeys].sort((a, b) => a.number - b.number).slice(-MAX_DAY_KEYS_PER_BATCH);
  const batch = { first: days[0]?.number ?? 0, keys: days.map(({ publicKey }) => publicKey) };
  return {
    name,
    identity: new Uint8Array(viewer.publicKey),
    batches: [signDayKeys(batch, viewer)],
    numbers: days.map(({ number }) => number),
  };
}

export function writeSharedDayKeys({ name, batches }: SharedDayKeys): string {
  const file = { type: 'oriel-day-keys', version: 1, name, dayKeys: batches };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** @throws CryptoError DOCUMENT_MALFORMED, DOCUMENT_FORGED. */
export async function readSharedDayKeys(
  text: string,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify'>,
): Promise<SharedDayKeys> {
  const { name, dayKeys } = parseJson(text, SharedFile, 'file of day keys');
  const [{ viewer: identity }] = dayKeys as [SignedBatch, ...SignedBatch[]];
  if (dayKeys.some(({ viewer }) => !equal(viewer, identity))) {
    throw new CryptoError('DOCUMENT_MALFORMED', 'file of day keys: it holds keys of two viewers');
  }
  const keys = await openBatches(
    dayKeys.map(({ batch }) => batch),
    identity,
    primitives,
  );
  const batches = (JSON.parse(text) as { dayKeys: SignedBatchText[] }).dayKeys;
  return { name, identity, batches, numbers: [...keys.keys()].sort((a, b) => a - b) };
}
