import { equal, toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { type ParsedSessionHeader, PREVIOUS_UNKNOWN } from '../../crypto/header.ts';
import type { OpenedSession } from '../../crypto/opener.ts';
import type { DayKeyHolder } from '../../crypto/session.ts';
import type { SessionFiles } from './footage-directory.ts';
import { type Inspected, missing, refused, type TimeRange, touches } from './inspected.ts';
import { openSessionFile } from './session-files.ts';
import { inspectSession, type StatedEnd } from './session-inspection.ts';

export interface Inspection {
  /** Whether the viewing key trusts the camera. */
  readonly trusted: boolean;
  readonly holder: DayKeyHolder;
  readonly range: TimeRange;
  /** Called with every session whose header holds, whenever it was. */
  readonly onSession: (session: OpenedSession, files: SessionFiles) => void;
}

/** A session as its header file lets one look at it. */
type Attempt =
  | { readonly files: SessionFiles; readonly session: OpenedSession }
  | { readonly files: SessionFiles; readonly session?: undefined; readonly error: unknown };

/**
 * Opens a camera's sessions one after the other and yields every segment, and those that have to be there and are
 * not. Only one segment is held at a time. What is refused is yielded whatever the range: its time is not known.
 */
export async function* inspectCamera(
  sessions: readonly SessionFiles[],
  { trusted, holder, range, onSession }: Inspection,
): AsyncGenerator<Inspected> {
  let previous: ParsedSessionHeader | undefined;
  const hashes = new Set<string>();
  for await (const [attempt, following] of withFollowing(sessions, trusted, holder)) {
    const { files } = attempt;
    const session = checkSessionChain(attempt, previous, hashes);
    if (session.session === undefined) {
      yield* refusedSession(files, session.error);
      previous = undefined;
      continue;
    }
    const { header } = session.session;
    hashes.add(toHex(header.hash));
    onSession(session.session, files);
    const next = following?.session?.header;
    const end = next && statedEnd(header, next);
    const endMs = yield* inspectSession(files, session.session, { end, nextMs: next?.timeMs, range });
    if (next !== undefined && touches(range, endMs, next.timeMs)) yield* missingSessions(header, next);
    previous = header;
  }
}

/** Each session with the one after it, which states how it ended: that has to be known before it is given out. */
async function* withFollowing(
  sessions: readonly SessionFiles[],
  trusted: boolean,
  holder: DayKeyHolder,
): AsyncGenerator<[Attempt, Attempt | undefined]> {
  let current: Attempt | undefined;
  for (const files of sessions) {
    const following = await attemptSession(files, trusted, holder);
    if (current !== undefined) yield [current, following];
    current = following;
  }
  if (current !== undefined) yield [current, undefined];
}

async function attemptSession(files: SessionFiles, trusted: boolean, holder: DayKeyHolder): Promise<Attempt> {
  try {
    return { files, session: await openSessionFile(files, trusted, holder) };
  } catch (error) {
    return { files, error };
  }
}

/**
 * A session names the one before it by its hash. What it names may have been deleted; but if the session just
 * before it in number is there, it, or another of those there, has to be the one named.
 */
function checkSessionChain(
  attempt: Attempt,
  previous: ParsedSessionHeader | undefined,
  hashes: ReadonlySet<string>,
): Attempt {
  const { files, session } = attempt;
  if (session === undefined || previous?.number !== session.header.number - 1) return attempt;
  if (hashes.has(toHex(session.header.previousSession))) return attempt;
  const message = `session ${session.header.number} does not follow session ${previous.number}`;
  return { files, error: new CryptoError('CHAIN_BROKEN', message) };
}

/** What `next` says of how the session ended; undefined when it says nothing of it. */
function statedEnd(session: ParsedSessionHeader, next: ParsedSessionHeader): StatedEnd | undefined {
  if (!equal(next.previousSession, session.hash) || next.previousSegments === PREVIOUS_UNKNOWN) {
    return undefined;
  }
  const known = next.previousDigest.some((byte) => byte !== 0);
  return { segments: next.previousSegments, digest: known ? next.previousDigest : undefined };
}

function* missingSessions(session: ParsedSessionHeader, next: ParsedSessionHeader): Generator<Inspected> {
  const [first, last] = [session.number + 1, next.number - 1];
  if (first > last) return;
  const words = first === last ? `session ${first}` : `sessions ${first} to ${last}`;
  yield missing({ camera: session.camera, session: words, sequence: 0 });
}

function* refusedSession(files: SessionFiles, error: unknown): Generator<Inspected> {
  const { camera, segments } = files;
  const session = files.path.slice(files.path.lastIndexOf('-') + 1);
  for (const { sequence, path } of segments) yield refused({ camera, session, sequence }, path, error);
  if (segments.length === 0) yield refused({ camera, session, sequence: 0 }, undefined, error);
}
