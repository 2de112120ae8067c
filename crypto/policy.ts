import * as v from 'valibot';
import { equal, toBase64Url } from './bytes.ts';
import { bytesField, Envelope, openDocument, parseJson, signDocument } from './document.ts';
import { type Ed25519Pair, PUBLIC_KEY_LENGTH, viewerIdOf } from './ed25519.ts';
import { CryptoError } from './errors.ts';
import type { OpeningPrimitives } from './primitives.ts';
import type { Recipient } from './session.ts';
import { isLowOrder } from './x25519.ts';

/**
 * What a camera obeys: one declarative policy, signed by its owner, and with it the day keys of the viewers it
 * names, each batch signed by its viewer (docs/format.md, "Policy").
 */

const POLICY_TYPE = 'application/vnd.oriel.policy.v1+json';
const DAY_KEYS_TYPE = 'application/vnd.oriel.day-keys.v1+json';
export const MAX_DAY_KEYS_PER_BATCH = 400;
const MAX_VIEWERS = 32;
export const MAX_POSTPONE_DAYS = 30;

const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const u32Number = v.pipe(counter, v.maxValue(0xffffffff));
const publicKey = bytesField(PUBLIC_KEY_LENGTH);

/** A time of day, UTC. */
const TimeOfDay = v.pipe(v.string(), v.regex(/^([01]\d|2[0-3]):[0-5]\d$/));

/** When a release that waits may be installed; docs/updates.md says what holds in spite of it. */
const UpdateChoice = v.strictObject({
  /** Days of running time that a release waits at first. */
  postponeDays: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(MAX_POSTPONE_DAYS))),
  /** The hours for it, each day; over midnight when `to` is the earlier. */
  window: v.optional(
    v.pipe(
      v.strictObject({ from: TimeOfDay, to: TimeOfDay }),
      v.check(({ from, to }) => from !== to),
    ),
  ),
});
export type UpdateChoice = v.InferOutput<typeof UpdateChoice>;

const PolicyDocument = v.strictObject({
  /** Camera id, 32 characters of base32. */
  camera: v.pipe(v.string(), v.regex(/^[a-z2-7]{32}$/)),
  /** Pairing epoch: one higher each time the camera is paired anew. */
  epoch: u32Number,
  /** Rises with every policy of an epoch. */
  counter,
  /** Identity keys of those who may open the footage. */
  viewers: v.pipe(v.array(publicKey), v.minLength(1), v.maxLength(MAX_VIEWERS)),
  mode: v.picklist(['continuous']),
  audio: v.boolean(),
  /** The camera uses no day key of a lower number. */
  dayKey: u32Number,
  /** Absent: updates are installed at once. */
  updates: v.optional(UpdateChoice),
});
export type Policy = v.InferOutput<typeof PolicyDocument>;

const dayKey = v.pipe(
  publicKey,
  v.check((key) => !isLowOrder(key)),
);

const DayKeysDocument = v.strictObject({
  /** Number of the first key; the others follow it. */
  first: v.pipe(counter, v.maxValue(0xffffffff - MAX_DAY_KEYS_PER_BATCH)),
  /** X25519 public keys; one of low order would seal to everybody. */
  keys: v.pipe(v.array(dayKey), v.minLength(1), v.maxLength(MAX_DAY_KEYS_PER_BATCH)),
});

const PolicyFile = v.strictObject({
  policy: Envelope,
  /** For each viewer of the policy at least one batch. */
  dayKeys: v.pipe(
    v.array(v.strictObject({ viewer: publicKey, batch: Envelope })),
    v.maxLength(MAX_VIEWERS * 4),
  ),
});

/** One viewer's public day keys, by number. */
export interface ViewerDayKeys {
  /** Viewer id, 20 bytes. */
  readonly viewer: Uint8Array;
  readonly keys: ReadonlyMap<number, Uint8Array>;
}

export interface PolicyInForce {
  readonly policy: Policy;
  readonly viewers: readonly ViewerDayKeys[];
}

/** A batch of day keys to be signed by its viewer. */
export interface DayKeyBatch {
  readonly first: number;
  readonly keys: readonly Uint8Array[];
}

export function signDayKeys(batch: DayKeyBatch, viewer: Ed25519Pair) {
  const document = { first: batch.first, keys: batch.keys.map(toBase64Url) };
  return { viewer: toBase64Url(viewer.publicKey), batch: signDocument(DAY_KEYS_TYPE, document, viewer) };
}

/** The text of a policy file: the policy signed by the owner, with the viewers' signed day keys. */
export function writePolicyFile(
  policy: Policy,
  owner: Ed25519Pair,
  dayKeys: readonly ReturnType<typeof signDayKeys>[],
): string {
  const document = { ...policy, viewers: policy.viewers.map(toBase64Url) };
  return `${JSON.stringify({ policy: signDocument(POLICY_TYPE, document, owner), dayKeys }, undefined, 2)}\n`;
}

/**
 * Reads a policy file and checks every signature in it.
 * @throws CryptoError DOCUMENT_MALFORMED, DOCUMENT_FORGED; CAMERA_FOREIGN when it is another camera's.
 */
export async function readPolicyFile(
  text: string,
  camera: string,
  owner: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify' | 'sha256'>,
): Promise<PolicyInForce> {
  const file = parseJson(text, PolicyFile, 'policy file');
  const policy = await openDocument(file.policy, POLICY_TYPE, PolicyDocument, owner, primitives);
  if (policy.camera !== camera) {
    throw new CryptoError('CAMERA_FOREIGN', `policy is for camera ${policy.camera}`);
  }
  const viewers: ViewerDayKeys[] = [];
  for (const identity of policy.viewers) {
    const keys = new Map<number, Uint8Array>();
    for (const { batch } of file.dayKeys.filter((entry) => equal(entry.viewer, identity))) {
      const { first, keys: publicKeys } = await openDocument(
        batch,
        DAY_KEYS_TYPE,
        DayKeysDocument,
        identity,
        primitives,
      );
      publicKeys.forEach((key, index) => {
        keys.set(first + index, key);
      });
    }
    if (keys.size === 0) throw new CryptoError('DOCUMENT_MALFORMED', 'policy file: a viewer has no day keys');
    viewers.push({ viewer: await viewerIdOf(identity, primitives), keys });
  }
  return { policy, viewers };
}

/** The day keys of one number as recipients; a viewer whose keys ran out gets the newest it has. */
export function recipientsOf(viewers: readonly ViewerDayKeys[], dayKey: number): readonly Recipient[] {
  return viewers.map(({ viewer, keys }) => {
    const numbers = [...keys.keys()];
    const upTo = numbers.filter((number) => number <= dayKey);
    const number = upTo.length > 0 ? Math.max(...upTo) : Math.min(...numbers);
    return { viewer, dayKey: number, publicKey: keys.get(number) as Uint8Array };
  });
}
