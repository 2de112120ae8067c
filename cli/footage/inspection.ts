import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { equal, toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import {
  MAX_SESSION_HEADER_LENGTH,
  type ParsedSessionHeader,
  PREVIOUS_UNKNOWN,
  readSessionHeader,
} from '../../crypto/header.ts';
import {
  checkChain,
  type OpenedSegment,
  type OpenedSession,
  openSegment,
  type SegmentVerdict,
} from '../../crypto/opener.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { type DayKeyHolder, openSession } from '../../crypto/session.ts';
import { CommandError } from '../errors.ts';
import type { SessionFiles } from './footage-directory.ts';

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

/** More than any segment a server takes (docs/protocol.md). */
const MAX_SEGMENT_FILE_BYTES = 300 * 1024 * 1024;

interface PreviousSession {
  readonly header: ParsedSessionHeader;
  readonly lastSequence: number;
  readonly last: OpenedSegment | undefined;
}

/**
 * Opens a camera's sessions one after the other and yields every segment, the missing ones too. Only one segment
 * is held at a time.
 */
export async function* inspectCamera(
  sessions: readonly SessionFiles[],
  trusted: boolean,
  holder: DayKeyHolder,
  range: TimeRange,
): AsyncGenerator<Inspected> {
  let previous: PreviousSession | undefined;
  const hashes = new Set<string>();
  for (const files of sessions) {
    let session: OpenedSession;
    try {
      session = await openSessionFiles(files, trusted, holder);
      checkSessionChain(session.header, previous, hashes);
    } catch (error) {
      yield* refusedSession(files, error);
      previous = undefined;
      continue;
    }
    if (previous !== undefined) yield* missingBetween(files.camera, session.header, previous);
    hashes.add(toHex(session.header.hash));
    previous = yield* inspectSession(files, session, range);
  }
}

async function openSessionFiles(
  files: SessionFiles,
  trusted: boolean,
  holder: DayKeyHolder,
): Promise<OpenedSession> {
  if (!trusted) {
    throw new CryptoError(
      'CAMERA_FOREIGN',
      `camera ${files.camera} is not among those this viewing key trusts; sign a policy for it to trust it`,
    );
  }
  const path = join(files.path, 'session');
  if (!existsSync(path))
    throw new CommandError('SESSION_MISSING', `${path} is missing: its segments cannot be opened`);
  if (statSync(path).size > MAX_SESSION_HEADER_LENGTH) {
    throw new CryptoError('HEADER_MALFORMED', `${path} is too large for a session header`);
  }
  const header = await readSessionHeader(readFileSync(path), nodePrimitives);
  if (header.camera !== files.camera) {
    throw new CryptoError(
      'CAMERA_FOREIGN',
      `session is of camera ${header.camera}, yet lies under ${files.camera}`,
    );
  }
  return { header, secret: await openSession(header, holder) };
}

/**
 * A session names the one before it by its hash. What it names may have been deleted; but if the session just
 * before it in number is there, it, or another of those there, has to be the one named.
 */
function checkSessionChain(
  header: ParsedSessionHeader,
  previous: PreviousSession | undefined,
  hashes: ReadonlySet<string>,
): void {
  if (previous === undefined || previous.header.number !== header.number - 1) return;
  if (hashes.has(toHex(header.previousSession))) return;
  throw new CryptoError(
    'CHAIN_BROKEN',
    `session ${header.number} does not follow session ${previous.header.number}`,
  );
}

/** What is not there between a session and the one before it here: whole sessions, or the end of that one. */
function* missingBetween(
  camera: string,
  header: ParsedSessionHeader,
  previous: PreviousSession,
): Generator<Inspected> {
  const [first, last] = [previous.header.number + 1, header.number - 1];
  if (first <= last) {
    yield missing(camera, first === last ? `session ${first}` : `sessions ${first} to ${last}`, 0);
  }
  yield* missingTail(camera, header, previous);
}

/** Segments that the next session says the one before it had, and that are not there. */
function* missingTail(
  camera: string,
  header: ParsedSessionHeader,
  previous: PreviousSession,
): Generator<Inspected> {
  if (!equal(header.previousSession, previous.header.hash)) return;
  if (header.previousSegments === PREVIOUS_UNKNOWN) return;
  for (let sequence = previous.lastSequence + 1; sequence < header.previousSegments; sequence++) {
    yield missing(camera, toHex(previous.header.id), sequence);
  }
  const { last, lastSequence } = previous;
  const whole = last?.closing !== undefined && lastSequence === header.previousSegments - 1;
  if (whole && !equal(last.digest, header.previousDigest)) {
    const error = new CryptoError(
      'CHAIN_BROKEN',
      `session ${header.number} does not follow the segment before it`,
    );
    yield refused(camera, toHex(previous.header.id), lastSequence, undefined, error);
  }
}

async function* inspectSession(
  files: SessionFiles,
  session: OpenedSession,
  range: TimeRange,
): AsyncGenerator<Inspected, PreviousSession> {
  const id = toHex(session.header.id);
  let expected = 0;
  let last: OpenedSegment | undefined;
  for (const { sequence, path } of files.segments) {
    for (; expected < sequence; expected++) {
      yield missing(files.camera, id, expected);
      last = undefined;
    }
    expected = sequence + 1;
    try {
      const opened = await openSegment(readSegmentFile(path), session, nodePrimitives);
      if (opened.header.sequence !== sequence) {
        throw new CryptoError(
          'SEGMENT_FOREIGN',
          `segment is number ${opened.header.sequence} of its session`,
        );
      }
      if (last !== undefined) checkChain(last, opened);
      last = opened;
      if (!overlaps(opened, range)) continue;
      const { verdict } = opened;
      yield { camera: files.camera, session: id, sequence, path, verdict, refusal: undefined, opened };
    } catch (error) {
      last = undefined;
      yield refused(files.camera, id, sequence, path, error);
    }
  }
  return { header: session.header, lastSequence: expected - 1, last };
}

function readSegmentFile(path: string): Uint8Array {
  const { size } = statSync(path);
  if (size > MAX_SEGMENT_FILE_BYTES)
    throw new CryptoError('HEADER_MALFORMED', 'file is too large for a segment');
  return readFileSync(path);
}

function overlaps(segment: OpenedSegment, range: TimeRange): boolean {
  const start = segment.header.timeMs;
  return start < range.toMs && start + segment.durationUs / 1000 >= range.fromMs;
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

function missing(camera: string, session: string, sequence: number): Inspected {
  return {
    camera,
    session,
    sequence,
    path: undefined,
    verdict: 'missing',
    refusal: undefined,
    opened: undefined,
  };
}
