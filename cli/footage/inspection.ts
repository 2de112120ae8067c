import { equal, toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { type ParsedSessionHeader, PREVIOUS_UNKNOWN } from '../../crypto/header.ts';
import {
  checkChain,
  type OpenedSegment,
  type OpenedSession,
  type SegmentVerdict,
} from '../../crypto/opener.ts';
import type { DayKeyHolder } from '../../crypto/session.ts';
import { CommandError } from '../errors.ts';
import type { SessionFiles } from './footage-directory.ts';
import { openSegmentFile, openSessionFile } from './session-files.ts';

/** What became of one segment when it was opened. */
export interface Inspected {
  readonly camera: string;
  /** Session id, 32 hex digits, as its directory has it where the header is refused; words for sessions not there. */
  readonly session: string;
  readonly sequence: number;
  readonly path: string | undefined;
  readonly verdict: SegmentVerdict | 'missing' | 'refused';
  /** With `refused`: the code and message of the refusal. */
  readonly refusal: { readonly code: string; readonly message: string } | undefined;
  /** Unless `missing` or `refused`. */
  readonly opened: OpenedSegment | undefined;
}

/** Times to look at, milliseconds since 1970; a segment counts when any of it lies within. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

interface InspectedSession {
  readonly header: ParsedSessionHeader;
  /** Sequence numbers of which there is a file. */
  readonly present: ReadonlySet<number>;
  /** The sequence number after that of the last segment that opened. */
  readonly expected: number;
  /** The session's last segment, unless it was refused. */
  readonly last: OpenedSegment | undefined;
  /** By when the last segment that opened had ended, milliseconds since 1970. */
  readonly endMs: number;
}

/**
 * Opens a camera's sessions one after the other and yields every segment, and those that have to be there and are
 * not. Only one segment is held at a time. What is refused is yielded whatever the range: its time is not known.
 */
export async function* inspectCamera(
  sessions: readonly SessionFiles[],
  trusted: boolean,
  holder: DayKeyHolder,
  range: TimeRange,
): AsyncGenerator<Inspected> {
  let previous: InspectedSession | undefined;
  const hashes = new Set<string>();
  for (const files of sessions) {
    let session: OpenedSession;
    try {
      session = await openSessionFile(files, trusted, holder);
      checkSessionChain(session.header, previous, hashes);
    } catch (error) {
      yield* refusedSession(files, error);
      previous = undefined;
      continue;
    }
    if (previous !== undefined) yield* inspectTransition(previous, session.header, range);
    hashes.add(toHex(session.header.hash));
    previous = yield* inspectSession(files, session, range);
  }
  if (previous !== undefined) yield* inspectEnd(previous, range);
}

/**
 * A session names the one before it by its hash. What it names may have been deleted; but if the session just
 * before it in number is there, it, or another of those there, has to be the one named.
 */
function checkSessionChain(
  header: ParsedSessionHeader,
  previous: InspectedSession | undefined,
  hashes: ReadonlySet<string>,
): void {
  if (previous === undefined || previous.header.number !== header.number - 1) return;
  if (hashes.has(toHex(header.previousSession))) return;
  throw new CryptoError(
    'CHAIN_BROKEN',
    `session ${header.number} does not follow session ${previous.header.number}`,
  );
}

/** What has to be there between two sessions: the rest of the first, and any sessions numbered between them. */
function* inspectTransition(
  previous: InspectedSession,
  next: ParsedSessionHeader,
  range: TimeRange,
): Generator<Inspected> {
  const { header, last, endMs } = previous;
  const known = equal(next.previousSession, header.hash) && next.previousSegments !== PREVIOUS_UNKNOWN;
  if (!known) yield* inspectEnd(previous, range, next.timeMs);
  else if (touches(range, endMs, next.timeMs)) yield* missingSegments(previous, next.previousSegments);
  const whole = known && last?.closing !== undefined && last.header.sequence === next.previousSegments - 1;
  if (whole && !equal(last.digest, next.previousDigest)) {
    const error = new CryptoError(
      'CHAIN_BROKEN',
      `session ${next.number} does not follow the segment before it`,
    );
    yield refused(header.camera, toHex(header.id), last.header.sequence, undefined, error);
  }
  if (next.number > header.number + 1 && touches(range, endMs, next.timeMs)) {
    const [first, final] = [header.number + 1, next.number - 1];
    yield missing(header.camera, first === final ? `session ${first}` : `sessions ${first} to ${final}`, 0);
  }
}

/** The camera closes a segment when it begins the next, unless the closing record says that the session ends. */
function* inspectEnd(
  session: InspectedSession,
  range: TimeRange,
  untilMs = Number.POSITIVE_INFINITY,
): Generator<Inspected> {
  const { last, endMs } = session;
  if (last?.closing === undefined || last.closing.final || !touches(range, endMs, untilMs)) return;
  yield* missingSegments(session, last.header.sequence + 2);
}

async function* inspectSession(
  files: SessionFiles,
  session: OpenedSession,
  range: TimeRange,
): AsyncGenerator<Inspected, InspectedSession> {
  const { header } = session;
  const id = toHex(header.id);
  const present = new Set(files.segments.map(({ sequence }) => sequence));
  let expected = 0;
  let endMs = header.timeMs;
  let last: OpenedSegment | undefined;
  for (const { sequence, path } of files.segments) {
    try {
      const opened = await openSegmentFile(path, sequence, session);
      if (last?.header.sequence === sequence - 1) checkChain(last, opened);
      const { timeMs } = opened.header;
      if (touches(range, endMs, timeMs)) yield* missingSegments({ header, present, expected }, sequence);
      last = opened;
      expected = sequence + 1;
      endMs = timeMs + opened.durationUs / 1000;
      if (!touches(range, timeMs, endMs)) continue;
      const { verdict } = opened;
      yield { camera: files.camera, session: id, sequence, path, verdict, refusal: undefined, opened };
    } catch (error) {
      last = undefined;
      yield refused(files.camera, id, sequence, path, error);
    }
  }
  return { header, present, expected, last, endMs };
}

/** Whether any of a time lies within the range; of two times by a clock that was set back meanwhile, too. */
function touches(range: TimeRange, oneMs: number, otherMs: number): boolean {
  return Math.min(oneMs, otherMs) < range.toMs && Math.max(oneMs, otherMs) >= range.fromMs;
}

function* refusedSession(files: SessionFiles, error: unknown): Generator<Inspected> {
  const name = files.path.slice(files.path.lastIndexOf('-') + 1);
  for (const { sequence, path } of files.segments) yield refused(files.camera, name, sequence, path, error);
  if (files.segments.length === 0) yield refused(files.camera, name, 0, undefined, error);
}

function refused(
  camera: string,
  session: string,
  sequence: number,
  path: string | undefined,
  error: unknown,
): Inspected {
  if (!(error instanceof CryptoError) && !(error instanceof CommandError)) throw error;
  const refusal = { code: error.code, message: error.message };
  return { camera, session, sequence, path, verdict: 'refused', refusal, opened: undefined };
}

/** Those after the last that opened and before `end` that are not there; a refused one says so itself. */
function* missingSegments(
  { header, present, expected }: Pick<InspectedSession, 'header' | 'present' | 'expected'>,
  end: number,
): Generator<Inspected> {
  for (let sequence = expected; sequence < end; sequence++) {
    if (!present.has(sequence)) yield missing(header.camera, toHex(header.id), sequence);
  }
}

function missing(camera: string, session: string, sequence: number): Inspected {
  const nothing = { path: undefined, refusal: undefined, opened: undefined };
  return { camera, session, sequence, verdict: 'missing', ...nothing };
}
