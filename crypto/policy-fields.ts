import * as v from 'valibot';
import { PUBLIC_KEY_LENGTH } from './curves.ts';
import { SignedBatch } from './day-keys.ts';
import { bytesField, Envelope } from './document.ts';
import { IdText } from './ids.ts';

/** What every version of a policy says, and the file it lies in (docs/reference/format.md, "Policy"). */

export const MAX_VIEWERS = 32;
/** Of one viewer. */
export const MAX_BATCHES = 4;
export const MAX_POSTPONE_DAYS = 30;

const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const u32Number = v.pipe(counter, v.maxValue(0xffffffff));
export const publicKey = bytesField(PUBLIC_KEY_LENGTH);

/** A time of day, UTC. */
const TimeOfDay = v.pipe(v.string(), v.regex(/^([01]\d|2[0-3]):[0-5]\d$/));

/** When a release that waits may be installed; docs/design/updates.md says what holds in spite of it. */
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

export const COMMON_FIELDS = {
  /** Camera id, 32 characters of base32. */
  camera: IdText,
  /** Pairing epoch: one higher each time the camera is paired anew. */
  epoch: u32Number,
  /** Rises with every policy of an epoch. */
  counter,
  mode: v.picklist(['continuous']),
  audio: v.boolean(),
  /** Absent: updates are installed at once. */
  updates: v.optional(UpdateChoice),
};

export const PolicyFile = v.strictObject({
  policy: Envelope,
  dayKeys: v.pipe(v.array(SignedBatch), v.maxLength(MAX_VIEWERS * MAX_BATCHES)),
});
export type PolicyFile = v.InferOutput<typeof PolicyFile>;
