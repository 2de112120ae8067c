import { CryptoError } from '../crypto/errors.ts';
import type { OpenedSegment, SegmentVerdict } from '../crypto/opener.ts';
import { FootageError } from './errors.ts';

/** What became of one segment when it was opened; or segments or sessions that are not there. */
export interface Inspected {
  readonly camera: string;
  /** Session id, 32 hex digits, as its directory has it where the header is refused; words for sessions not there. */
  readonly session: string;
  readonly sequence: number;
  /** How many segments, or sessions, in a row this stands for: more than one only with `missing`. */
  readonly count: number;
  readonly path: string | undefined;
  readonly verdict: SegmentVerdict | 'missing' | 'refused';
  /** With `refused`: the code and message of the refusal. */
  readonly refusal: { readonly code: string; readonly message: string } | undefined;
  /** Unless `missing` or `refused`. Undefined with `open` too: then nothing says that the session ended before it. */
  readonly opened: OpenedSegment | undefined;
}

type Place = Pick<Inspected, 'camera' | 'session' | 'sequence'>;

export const accepted = (place: Place, path: string, opened: OpenedSegment): Inspected => ({
  ...place,
  count: 1,
  path,
  verdict: opened.verdict,
  refusal: undefined,
  opened,
});

export const missing = (place: Place, count: number): Inspected => ({
  ...place,
  ...NOTHING,
  count,
  verdict: 'missing',
});

/** The place after the last segment of a session of which no end is there. */
export const openEnd = (place: Place): Inspected => ({ ...place, ...NOTHING, verdict: 'open' });

const NOTHING = { count: 1, path: undefined, refusal: undefined, opened: undefined } as const;

/** @throws what is no refusal. */
export function refused(place: Place, path: string | undefined, error: unknown): Inspected {
  return { ...place, count: 1, path, verdict: 'refused', refusal: refusalIn(error), opened: undefined };
}

/** The code and message of a refusal. @throws what is none. */
export function refusalIn(error: unknown): { code: string; message: string } {
  if (!(error instanceof CryptoError) && !(error instanceof FootageError)) throw error;
  return { code: error.code, message: error.message };
}

/** Times to look at, milliseconds since 1970; a segment counts when any of it lies within. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Whether any of a time lies within the range; of two times by a clock that was set back meanwhile, too. */
export function touches(range: TimeRange, oneMs: number, otherMs: number): boolean {
  return Math.min(oneMs, otherMs) < range.toMs && Math.max(oneMs, otherMs) >= range.fromMs;
}
