import { equal, toHex } from '../crypto/bytes.ts';
import { CryptoError } from '../crypto/errors.ts';
import type { ParsedSessionHeader } from '../crypto/header.ts';
import { checkChain, type OpenedSegment, type OpenedSession } from '../crypto/opener.ts';
import { decodeTimeUs } from '../crypto/opening-record.ts';
import { MediaError } from '../media/errors.ts';
import { checkPlayable } from '../media/playable.ts';
import { FootageError } from './errors.ts';
import type { FootageReader } from './footage-reader.ts';
import type { SessionFiles } from './footage-source.ts';
import { gapsBetween, lengthOf } from './gaps.ts';
import { accepted, type Inspected, missing, openEnd, refused, type TimeRange, touches } from './inspected.ts';

/** How a session ended, as the camera signed it in the header of the next. */
export interface StatedEnd {
  readonly segments: number;
  /** Digest of the last segment; undefined when the camera did not know it, or there is none. */
  readonly digest: Uint8Array | undefined;
}

export interface SessionInspection {
  readonly reader: FootageReader;
  /** Undefined when no session there states it. */
  readonly end: StatedEnd | undefined;
  /** The time of the next session, milliseconds since 1970; undefined when there is none. */
  readonly nextMs: number | undefined;
  readonly range: TimeRange;
  /** Called with a segment that opens and lies outside the range, in its turn. */
  readonly onOutside: (segment: OpenedSegment) => void;
}

/** @returns by when the last segment that opened had ended, milliseconds since 1970. */
export async function* inspectSession(
  files: SessionFiles,
  session: OpenedSession,
  { reader, end, nextMs, range, onOutside }: SessionInspection,
): AsyncGenerator<Inspected, number> {
  const { header } = session;
  const place = placeIn(files, header);
  let expected = 0;
  let final: OpenedSegment | undefined;
  let last: OpenedSegment | undefined;
  let endMs = header.timeMs;
  for (const { sequence, path } of files.segments) {
    try {
      const opened = await reader.segment(path, sequence, session);
      checkEnd(opened, final, end);
      if (last?.header.sequence === sequence - 1) checkChain(last, opened);
      const { timeMs } = opened.header;
      if (touches(range, endMs, timeMs)) yield* missingSegments(files, header, expected, sequence);
      last = opened;
      if (opened.closing?.final) final = opened;
      expected = sequence + 1;
      endMs = timeMs + opened.durationUs / 1000;
      if (touches(range, timeMs, endMs)) yield playable(place(sequence), path, opened);
      else onOutside(opened);
    } catch (error) {
      yield refused(place(sequence), path, error);
    }
  }
  if (!touches(range, endMs, nextMs ?? Number.POSITIVE_INFINITY)) return endMs;
  // A session is begun for its first segment: it has one, unless the camera says that it came to none.
  yield* missingSegments(files, header, expected, end?.segments ?? 1);
  if (isOpenEnded(last, end)) yield openEnd(place(expected));
  return endMs;
}

/** A session that is refused takes its segments with it; those that are not there are told all the same. */
export function* refuseSession(
  files: SessionFiles,
  header: ParsedSessionHeader | undefined,
  error: unknown,
  { end, nextMs, range }: SessionInspection,
): Generator<Inspected> {
  const { camera, id: session, segments } = files;
  for (const { sequence, path } of segments) yield refused({ camera, session, sequence }, path, error);
  if (segments.length === 0) yield refused({ camera, session, sequence: 0 }, undefined, error);
  if (header === undefined || end === undefined) return;
  if (!touches(range, header.timeMs, nextMs ?? Number.POSITIVE_INFINITY)) return;
  yield* missingSegments(files, header, 0, end.segments);
}

const placeIn = ({ camera }: SessionFiles, { id }: ParsedSessionHeader) => {
  const session = toHex(id);
  return (sequence: number) => ({ camera, session, sequence });
};

/** Those of [from, to) of which there is no file: a refused one says so itself. */
function* missingSegments(
  files: SessionFiles,
  header: ParsedSessionHeader,
  from: number,
  to: number,
): Generator<Inspected> {
  const place = placeIn(files, header);
  const present = files.segments.map(({ sequence }) => sequence);
  for (const gap of gapsBetween(from, to - 1, present)) yield missing(place(gap.first), lengthOf(gap));
}

/** The camera sealed it; whether what it sealed is media that plays is seen here, for all commands alike. A segment
 * whose media is refused still has its place in the chain. */
function playable(place: Parameters<typeof accepted>[0], path: string, opened: OpenedSegment): Inspected {
  const { opening, fragments } = opened;
  if (opening === undefined) return accepted(place, path, opened);
  try {
    checkPlayable(
      opening.init,
      fragments.map(({ bytes }) => bytes),
      decodeTimeUs(opening),
    );
    return accepted(place, path, opened);
  } catch (cause) {
    if (!(cause instanceof MediaError)) throw cause;
    return refused(
      place,
      path,
      new FootageError('MEDIA_MALFORMED', `${cause.code}: ${cause.message}`, cause),
    );
  }
}

/** Whether nothing says that the session ended with this segment; of one not complete, that it is not says enough. */
function isOpenEnded(last: OpenedSegment | undefined, end: StatedEnd | undefined): boolean {
  return end === undefined && last?.closing?.final === false;
}

/**
 * Nothing follows the segment with which the camera says that the session ends, be it in that segment's closing
 * record or in the header of the next session. @throws CryptoError CHAIN_BROKEN.
 */
function checkEnd(
  segment: OpenedSegment,
  final: OpenedSegment | undefined,
  end: StatedEnd | undefined,
): void {
  const { sequence } = segment.header;
  const broken = (what: string) => new CryptoError('CHAIN_BROKEN', `segment ${sequence} ${what}`);
  if (final !== undefined) throw broken(`follows segment ${final.header.sequence}, which ends the session`);
  if (end === undefined || sequence < end.segments - 1) return;
  if (sequence >= end.segments) throw broken(`is there, yet the session had ${end.segments}`);
  if (segment.closing === undefined || end.digest === undefined) return;
  if (!equal(segment.digest, end.digest))
    throw broken('is not the one that the next session names as its last');
}
