import * as v from 'valibot';
import { Counter, Version } from './bundle.ts';
import { OtaError } from './errors.ts';
import { parseJson, writeJson } from './json.ts';

/**
 * What the launcher knows of its two slots, in one file, and every way in which it may change. The one slot, `active`,
 * holds a release that was confirmed on this camera and is never written to; the other is empty, holds the release
 * confirmed before (`spare`), or one on trial. docs/design/slots.md shows the machine as a picture.
 */

export type SlotName = 'a' | 'b';
export const otherSlot = (slot: SlotName): SlotName => (slot === 'a' ? 'b' : 'a');

/** Of a trial: exits that the release caused. */
export const MAX_TRIES = 3;
/** Of a trial: starts of which no end was seen, as when the release takes the kernel with it. */
export const MAX_BOOTS = 10;
const MAX_REFUSED = 64;
const MAX_OUTCOMES = 32;
export const MAX_STATE_BYTES = 32 * 1024;

const SlotName = v.picklist(['a', 'b']);
const ReleaseName = v.strictObject({ version: Version, counter: Counter });
export type ReleaseName = v.InferOutput<typeof ReleaseName>;

/** Why a release went back; closed. */
export const RETURN_CODES = [
  /** Its agent ended by itself, too often. */
  'AGENT_EXITED',
  /** Its agent stopped saying that it lives, too often. */
  'HEARTBEAT_LOST',
  /** The machine went down, or the launcher, too often while it ran. */
  'BOOTS_EXHAUSTED',
  /** It would not say what is to be captured, so that it was never started. */
  'PLAN_REFUSED',
  /** It takes no picture from the source that the release before filmed. */
  'CAPTURE_FAILED',
  /** It seals nothing. */
  'SEAL_FAILED',
  /** What it seals cannot be opened. */
  'OPEN_FAILED',
  /** Its agent takes more memory than it may. */
  'MEMORY_EXCEEDED',
  /** It does not reach the server, and the release before did, in its turn. */
  'SERVER_UNREACHED',
  /** Its slot is no longer as it was signed. */
  'SLOT_ALTERED',
  /** Somebody asked for the release before. */
  'ROLLBACK_ASKED',
] as const;
export type ReturnCode = (typeof RETURN_CODES)[number];
const ReturnCode = v.picklist(RETURN_CODES);

/** What became of a release, as it is reported. */
const Outcome = v.strictObject({
  number: Counter,
  event: v.picklist([
    /** It proved itself. */
    'confirmed',
    /** It was tried, or ran, and does no longer. */
    'returned',
    /** What was brought was refused before any of it ran. */
    'refused',
    /** A slot was found altered. */
    'altered',
    /** The state could not be read, and was made anew from the slots. */
    'recovered',
  ]),
  slot: SlotName,
  release: v.nullable(ReleaseName),
  /** A ReturnCode, or the code of an OtaError. */
  code: v.nullable(v.pipe(v.string(), v.regex(/^[A-Z_]{1,40}$/))),
});
export type Outcome = v.InferOutput<typeof Outcome>;

const small = (greatest: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(greatest));

const Trial = v.strictObject({
  release: ReleaseName,
  /** `new`: it is to run. `turn`: the release before has a turn, to see whether that one reaches the server. */
  phase: v.picklist(['new', 'turn']),
  tries: small(MAX_TRIES - 1),
  boots: small(MAX_BOOTS),
  /** Turns that the release before has had. */
  turns: small(1000),
  /** Whether the release before filmed when it was replaced. */
  filmed: v.boolean(),
  /** Counter of its key list, which is obeyed once it is confirmed. */
  keys: small(2 ** 31),
});
export type Trial = v.InferOutput<typeof Trial>;

const SlotState = v.pipe(
  v.strictObject({
    format: v.literal('oriel-slots-1'),
    active: SlotName,
    release: ReleaseName,
    /** What was confirmed before, in the other slot; null when that is empty, being written, or on trial. */
    spare: v.nullable(ReleaseName),
    trial: v.nullable(Trial),
    /** Nothing below it is put into a slot any more. */
    minimum: Version,
    /** Counter of the newest key list obeyed. */
    keys: small(2 ** 31),
    /** Releases that went back, newest last; none is tried again by itself. */
    refused: v.pipe(
      v.array(
        v.strictObject({
          counter: Counter,
          code: ReturnCode,
          /** Absent from what launchers wrote that were flashed before it was kept. */
          version: v.optional(Version),
        }),
      ),
      v.maxLength(MAX_REFUSED),
    ),
    /** Not yet known to be delivered, oldest first; bounded, and gaps in the numbers show what was dropped. */
    outcomes: v.pipe(v.array(Outcome), v.maxLength(MAX_OUTCOMES)),
    nextOutcome: Counter,
  }),
  v.check(({ spare, trial }) => spare === null || trial === null),
);
export type SlotState = v.InferOutput<typeof SlotState>;

/** @throws OtaError BUNDLE_OVERSIZED, SLOTS_MALFORMED. */
export function parseSlotState(bytes: Uint8Array): SlotState {
  return parseJson(bytes, {
    what: 'slot state',
    maxBytes: MAX_STATE_BYTES,
    schema: SlotState,
    malformed: 'SLOTS_MALFORMED',
  });
}

export const writeSlotState = (state: SlotState): Uint8Array<ArrayBuffer> =>
  writeJson(v.parse(SlotState, state));

/** Of a camera flashed with one release. */
export function firstState(active: SlotName, release: ReleaseName, keys: number): SlotState {
  return {
    format: 'oriel-slots-1',
    active,
    release,
    spare: null,
    trial: null,
    minimum: '0.0.0',
    keys,
    refused: [],
    outcomes: [],
    nextOutcome: 1,
  };
}

/** Adds what is to be reported; of too many the oldest are dropped. */
export function addOutcome(state: SlotState, outcome: Omit<Outcome, 'number'>): SlotState {
  const outcomes = [...state.outcomes, { number: state.nextOutcome, ...outcome }].slice(-MAX_OUTCOMES);
  return { ...state, outcomes, nextOutcome: state.nextOutcome + 1 };
}

export function addRefused(state: SlotState, { counter, version }: ReleaseName, code: ReturnCode): SlotState {
  const others = state.refused.filter((each) => each.counter !== counter);
  return { ...state, refused: [...others, { counter, code, version }].slice(-MAX_REFUSED) };
}

/** A release that went back, as people name it. */
export const nameOfRefused = ({ counter, version }: SlotState['refused'][number]): string =>
  version ?? `number ${counter}`;

/** The release of a higher counter than `counter` that went back last; undefined when none did. */
export function returnedAbove(
  { refused }: Pick<SlotState, 'refused'>,
  counter: number,
): { readonly name: string; readonly code: ReturnCode } | undefined {
  const last = refused.findLast((each) => each.counter > counter);
  return last && { name: nameOfRefused(last), code: last.code };
}

/** @throws OtaError SLOTS_TRANSITION. */
export function illegal(kind: string, phase: string): never {
  throw new OtaError('SLOTS_TRANSITION', `${kind} does not come about while the slots are in ${phase}`);
}
