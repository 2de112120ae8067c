import { equal, toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { checkChain, type OpenedSegment, type OpenedSession } from '../../crypto/opener.ts';
import type { SessionFiles } from './footage-directory.ts';
import { accepted, type Inspected, missing, openEnd, refused, type TimeRange, touches } from './inspected.ts';
import { openSegmentFile } from './session-files.ts';

/** How a session ended, as the camera signed it in the header of the next. */
export interface StatedEnd {
  readonly segments: number;
  /** Digest of the last segment; undefined when the camera did not know it, or there is none. */
  readonly digest: Uint8Array | undefined;
}

export interface SessionInspection {
  /** Undefined when no session there states it. */
  readonly end: StatedEnd | undefined;
  /** The time of the next session, milliseconds since 1970; undefined when there is none. */
  readonly nextMs: number | undefined;
  readonly range: TimeRange;
}

/** @returns by when the last segment that opened had ended, milliseconds since 1970. */
export async function* inspectSession(
  files: SessionFiles,
  session: OpenedSession,
  { end, nextMs, range }: SessionInspection,
): AsyncGenerator<Inspected, number> {
  const { header } = session;
  const place = (sequence: number) => ({ camera: files.camera, session: toHex(header.id), sequence });
  const present = new Set(files.segments.map(({ sequence }) => sequence));
  const gap = (from: number, to: number) => missingSegments(from, to, present, place);
  let expected = 0;
  let final: OpenedSegment | undefined;
  let last: OpenedSegment | undefined;
  let endMs = header.timeMs;
  for (const { sequence, path } of files.segments) {
    try {
      const opened = await openSegmentFile(path, sequence, session);
      checkEnd(opened, final, end);
      if (last?.header.sequence === sequence - 1) checkChain(last, opened);
      const { timeMs } = opened.header;
      if (touches(range, endMs, timeMs)) yield* gap(expected, sequence);
      last = opened;
      if (opened.closing?.final) final = opened;
      expected = sequence + 1;
      endMs = timeMs + opened.durationUs / 1000;
      if (touches(range, timeMs, endMs)) yield accepted(place(sequence), path, opened);
    } catch (error) {
      last = undefined;
      yield refused(place(sequence), path, error);
    }
  }
  if (!touches(range, endMs, nextMs ?? Number.POSITIVE_INFINITY)) return endMs;
  // A session is begun for its first segment: it has one, unless the camera says that it came to none.
  yield* gap(expected, end?.segments ?? 1);
  if (isOpenEnded(last, end)) yield openEnd(place(expected));
  return endMs;
}

/** Whether nothing says that the session ended with this segment; of one not complete, that it is not says enough. */
function isOpenEnded(last: OpenedSegment | undefined, end: StatedEnd | undefined): boolean {
  return end === undefined && last?.closing?.final === false;
}

/** Those of [from, to) of which there is no file: a refused one says so itself. */
function* missingSegments(
  from: number,
  to: number,
  present: ReadonlySet<number>,
  place: (sequence: number) => Parameters<typeof missing>[0],
): Generator<Inspected> {
  for (let sequence = from; sequence < to; sequence++) {
    if (!present.has(sequence)) yield missing(place(sequence));
  }
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
