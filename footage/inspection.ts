import { equal, isZero, toHex } from '../crypto/bytes.ts';
import { CryptoError } from '../crypto/errors.ts';
import { type ParsedSessionHeader, PREVIOUS_UNKNOWN } from '../crypto/header.ts';
import type { OpenedSegment, OpenedSession } from '../crypto/opener.ts';
import { type DayKeyHolder, openSession } from '../crypto/session.ts';
import type { FootageReader } from './footage-reader.ts';
import type { SessionFiles } from './footage-source.ts';
import { gapsBetween, lengthOf } from './gaps.ts';
import { type Inspected, missing, type TimeRange, touches } from './inspected.ts';
import { inspectSession, refuseSession, type StatedEnd } from './session-inspection.ts';

export interface Inspection {
  readonly reader: FootageReader;
  /** Whether the viewing key trusts the camera. */
  readonly trusted: boolean;
  readonly holder: DayKeyHolder;
  readonly range: TimeRange;
  /** Called with every session header that holds, whether or not this viewing key opens it. */
  readonly onHeader: (header: ParsedSessionHeader) => void;
  /** Called with every session that opens, whenever it was, before its segments; waited for. */
  readonly onSession: (session: OpenedSession, files: SessionFiles) => void | Promise<void>;
  /** Called with every segment that opens and lies outside the range, in its turn. */
  readonly onOutside: (segment: OpenedSegment) => void;
}

type Opening = Pick<Inspection, 'reader' | 'trusted' | 'holder'>;

/** A session whose header the camera signed, and that lies where it belongs. */
interface Known {
  readonly files: SessionFiles;
  readonly header: ParsedSessionHeader;
  /** Undefined when the viewing key does not open it. */
  readonly session?: OpenedSession;
  /** Why it is refused all the same; undefined when it is not. */
  readonly error?: unknown;
}

interface Unknown {
  readonly files: SessionFiles;
  readonly header?: undefined;
  readonly error: unknown;
}

/** A session with the next one that is known, which states how it ended, and the numbers under which rubbish lies between. */
interface Turn {
  readonly attempt: Known | Unknown;
  readonly next: ParsedSessionHeader | undefined;
  readonly between: readonly number[];
}

/**
 * Opens a camera's sessions one after the other and yields every segment, and those that have to be there and are
 * not. Only one segment is held at a time. What is refused is yielded whatever the range: its time is not known. It
 * hides nothing: what is missing is told around it.
 */
export async function* inspectCamera(
  sessions: readonly SessionFiles[],
  { reader, trusted, holder, range, onHeader, onSession, onOutside }: Inspection,
): AsyncGenerator<Inspected> {
  let previous: ParsedSessionHeader | undefined;
  const hashes = new Set<string>();
  for await (const { attempt, next, between } of inTurn(sessions, { reader, trusted, holder })) {
    const { files, header } = attempt;
    const end = header && next && statedEnd(header, next);
    const inspection = { reader, end, nextMs: next?.timeMs, range, onOutside };
    if (header === undefined) {
      yield* refuseSession(files, undefined, attempt.error, inspection);
      continue;
    }
    const broken = chainFault(header, previous, hashes);
    previous = header;
    hashes.add(toHex(header.hash));
    if (broken === undefined) onHeader(header);
    let endMs = header.timeMs;
    if (broken === undefined && attempt.session !== undefined) {
      await onSession(attempt.session, files);
      endMs = yield* inspectSession(files, attempt.session, inspection);
    } else {
      yield* refuseSession(files, header, broken ?? attempt.error, inspection);
    }
    if (next !== undefined && touches(range, endMs, next.timeMs))
      yield* missingSessions(header, next, between);
  }
}

/** Each session with what has to be known of those after it before it is given out. */
async function* inTurn(sessions: readonly SessionFiles[], opening: Opening): AsyncGenerator<Turn> {
  let current: Known | undefined;
  let rubbish: Unknown[] = [];
  const flush = function* (next: ParsedSessionHeader | undefined): Generator<Turn> {
    const between = rubbish.map(({ files }) => files.number);
    if (current !== undefined) yield { attempt: current, next, between };
    for (const attempt of rubbish) yield { attempt, next: undefined, between: [] };
    rubbish = [];
  };
  for (const files of sessions) {
    const attempt = await attemptSession(files, opening);
    if (attempt.header === undefined) {
      rubbish.push(attempt);
      if (current === undefined) yield* flush(undefined);
      continue;
    }
    yield* flush(attempt.header);
    current = attempt;
  }
  yield* flush(undefined);
}

async function attemptSession(
  files: SessionFiles,
  { reader, trusted, holder }: Opening,
): Promise<Known | Unknown> {
  let header: ParsedSessionHeader;
  try {
    header = await reader.header(files, trusted);
  } catch (error) {
    return { files, error };
  }
  try {
    return { files, header, session: { header, secret: await openSession(header, holder) } };
  } catch (error) {
    return { files, header, error };
  }
}

/**
 * A session names the one before it by its hash. What it names may have been deleted; but if the session just
 * before it in number is there, it, or another of those there, has to be the one named.
 */
function chainFault(
  header: ParsedSessionHeader,
  previous: ParsedSessionHeader | undefined,
  hashes: ReadonlySet<string>,
): CryptoError | undefined {
  if (previous?.number !== header.number - 1 || hashes.has(toHex(header.previousSession))) return undefined;
  const message = `session ${header.number} does not follow session ${previous.number}`;
  return new CryptoError('CHAIN_BROKEN', message);
}

/** What `next` says of how the session ended; undefined when it says nothing of it. */
function statedEnd(session: ParsedSessionHeader, next: ParsedSessionHeader): StatedEnd | undefined {
  if (!equal(next.previousSession, session.hash) || next.previousSegments === PREVIOUS_UNKNOWN) {
    return undefined;
  }
  const { previousSegments: segments, previousDigest } = next;
  return { segments, digest: isZero(previousDigest) ? undefined : previousDigest };
}

/** Of the numbers between two sessions, those under which nothing lies. */
function* missingSessions(
  session: ParsedSessionHeader,
  next: ParsedSessionHeader,
  between: readonly number[],
): Generator<Inspected> {
  for (const gap of gapsBetween(session.number + 1, next.number - 1, between)) {
    const { first, last } = gap;
    const words = first === last ? `session ${first}` : `sessions ${first} to ${last}`;
    yield missing({ camera: session.camera, session: words, sequence: 0 }, lengthOf(gap));
  }
}
