import { equal, isZero } from './bytes.ts';
import { type Closing, readClosing } from './closing.ts';
import { CryptoError, type CryptoErrorCode } from './errors.ts';
import {
  idText,
  type ParsedSessionHeader,
  parseSegmentHeader,
  SEGMENT_HEADER_LENGTH,
  type SegmentHeader,
} from './header.ts';
import { type Mark, readMark } from './mark.ts';
import { type OpeningRecord, readOpeningRecord } from './opening-record.ts';
import type { OpeningPrimitives } from './primitives.ts';
import { MAX_SEGMENT_RECORDS, RECORD_TYPES, type RecordFrame } from './record.ts';
import {
  AFTER_HEADER,
  type PlaceFault,
  placeFault,
  positionAfter,
  recordsIn,
  type SegmentPosition,
  segmentTag,
} from './record-scanner.ts';
import { deriveSegmentKeyAsync, recordAssociatedData, recordNonce, type SegmentKey } from './segment-key.ts';

/** A session whose header has been checked and whose secret has been opened. */
export interface OpenedSession {
  readonly header: ParsedSessionHeader;
  readonly secret: Uint8Array;
}

/**
 * - `complete`: closed and signed by the camera, with every record it had.
 * - `cut`: the camera was stopped while the segment grew, or gave it up, and signed that.
 * - `open`: neither; it is still growing, or its end was withheld, or the camera signed that it does not know it.
 */
export type SegmentVerdict = 'complete' | 'cut' | 'open';

export interface OpenedFragment {
  /** `moof` and `mdat`. */
  readonly bytes: Uint8Array;
  readonly durationUs: number;
}

export interface OpenedSegment {
  readonly verdict: SegmentVerdict;
  readonly header: SegmentHeader;
  /** Undefined when not even record 0 is there. */
  readonly opening: OpeningRecord | undefined;
  readonly fragments: readonly OpenedFragment[];
  /** Records there are, closing record and mark apart. */
  readonly records: number;
  readonly durationUs: number;
  /** The segment's running digest. */
  readonly digest: Uint8Array;
  /** With `complete`: what the camera signed. */
  readonly closing: Closing | undefined;
  /** What the camera signed: with `cut`, and with `open` where it does not know the segment. */
  readonly mark: Mark | undefined;
}

/**
 * Opens a segment: checks that it belongs to the session, then every record in turn, then how it ends.
 * Nothing is given out unless all of it holds.
 * @param bytes the segment from its first byte on, as stored.
 * @throws CryptoError: HEADER_MALFORMED, SEGMENT_FOREIGN, CAMERA_FOREIGN, RECORD_*, CLOSING_FORGED, MARK_FORGED,
 *   CHAIN_BROKEN for a first segment that names one before it.
 */
export async function openSegment(
  bytes: Uint8Array,
  session: OpenedSession,
  primitives: OpeningPrimitives,
): Promise<OpenedSegment> {
  const header = parseSegmentHeader(bytes);
  if (!equal(header.sessionHash, session.header.hash)) {
    throw new CryptoError('SEGMENT_FOREIGN', 'segment names another session');
  }
  if (idText(header.camera) !== session.header.camera) {
    throw new CryptoError('CAMERA_FOREIGN', "segment names another camera than its session's");
  }
  const headerBytes = bytes.subarray(0, SEGMENT_HEADER_LENGTH);
  const headerHash = await primitives.sha256(headerBytes);
  const key = await deriveSegmentKeyAsync(session.secret, headerBytes, primitives);
  const frames = splitFrames(bytes, headerHash, primitives);

  let opening: OpeningRecord | undefined;
  let closing: Closing | undefined;
  let mark: Mark | undefined;
  const fragments: OpenedFragment[] = [];
  const digests = [headerHash];
  for (const { frame, at } of frames) {
    const whole = bytes.subarray(at, at + frame.length);
    if (frame.type === RECORD_TYPES.mark) {
      mark = await readMark(frame.payload, { headerHash, at }, session.header.point, primitives);
      continue;
    }
    const plaintext = await openRecord(frame, whole, key, headerHash, primitives);
    if (frame.type === RECORD_TYPES.closing) {
      closing = await readClosing(plaintext, headerHash, session.header.point, primitives);
      continue;
    }
    if (frame.type === RECORD_TYPES.opening) opening = readOpeningRecord(plaintext);
    else fragments.push({ bytes: plaintext, durationUs: frame.durationUs });
    digests.push(await primitives.sha256(digests.at(-1) as Uint8Array, whole));
  }

  const records = digests.length - 1;
  const digest = digests[records] as Uint8Array;
  const durationUs = fragments.reduce((sum, fragment) => sum + fragment.durationUs, 0);
  if (closing !== undefined) checkClosing(closing, records, durationUs, digest);
  if (mark !== undefined) checkMark(mark, digests);
  checkFirst(header, closing);
  return {
    verdict: verdictOf(closing, mark),
    header,
    opening,
    fragments,
    records,
    durationUs,
    digest,
    closing,
    mark,
  };
}

function verdictOf(closing: Closing | undefined, mark: Mark | undefined): SegmentVerdict {
  if (closing !== undefined) return 'complete';
  return mark !== undefined && mark.kind !== 'unknown' ? 'cut' : 'open';
}

interface PlacedFrame {
  readonly frame: RecordFrame;
  /** Byte of the segment at which it begins. */
  readonly at: number;
}

/**
 * Splits a segment into frames that are of this segment and in turn, which needs no key. What is left of a
 * record still being written at the end is passed over: the segment is then `open` at best.
 */
function splitFrames(
  bytes: Uint8Array,
  headerHash: Uint8Array,
  primitives: OpeningPrimitives,
): PlacedFrame[] {
  const frames: PlacedFrame[] = [];
  for (const { record: frame, at } of recordsIn(bytes, primitives.crc32)) {
    if (frames.length === MAX_SEGMENT_RECORDS) {
      throw new CryptoError('RECORD_MALFORMED', `more than ${MAX_SEGMENT_RECORDS} records in a segment`);
    }
    frames.push({ frame, at });
  }
  const tag = segmentTag(headerHash);
  let position = AFTER_HEADER;
  for (const { frame } of frames) {
    checkPlace(position, tag, frame);
    position = positionAfter(position, frame);
  }
  if (position.ended && position.length !== bytes.length) {
    throw new CryptoError('RECORD_TRAILING', 'bytes follow the end of the segment');
  }
  return frames;
}

/**
 * Checks a frame's place among the others. Segment tag and counter are bare fields, so that nothing finer is said than
 * that the records are not those of this segment in their order. @throws CryptoError.
 */
function checkPlace(position: SegmentPosition, tag: Uint8Array, frame: RecordFrame): void {
  const fault = placeFault(position, tag, frame);
  const [code, what] =
    fault === undefined ? (['RECORD_MALFORMED', 'it has a duration'] as const) : PLACE_REFUSALS[fault];
  if (fault === undefined && (frame.type === RECORD_TYPES.fragment || frame.durationUs === 0)) return;
  throw new CryptoError(code, `record ${position.counter} (counter ${frame.counter}): ${what}`);
}

const PLACE_REFUSALS: Readonly<Record<PlaceFault, readonly [CryptoErrorCode, string]>> = {
  foreign: ['RECORD_MISPLACED', 'it belongs to another segment'],
  trailing: ['RECORD_TRAILING', 'it follows the end of the segment'],
  turn: ['RECORD_MISPLACED', 'a record is missing, repeated or not in its order'],
  type: ['RECORD_MALFORMED', 'its type has no place here'],
};

async function openRecord(
  frame: RecordFrame,
  whole: Uint8Array,
  key: SegmentKey,
  headerHash: Uint8Array,
  primitives: OpeningPrimitives,
): Promise<Uint8Array> {
  const nonce = recordNonce(key.noncePrefix, frame.counter, frame.type === RECORD_TYPES.closing);
  const associated = recordAssociatedData(headerHash, whole);
  const plaintext = await primitives.aesGcmOpen(key.key, nonce, associated, frame.payload);
  if (plaintext !== undefined) return plaintext;
  throw new CryptoError('RECORD_FORGED', `record ${frame.counter}: its tag does not fit`);
}

function checkClosing(closing: Closing, records: number, durationUs: number, digest: Uint8Array): void {
  if (closing.records === records && closing.durationUs === durationUs && equal(closing.digest, digest))
    return;
  throw new CryptoError('CLOSING_FORGED', 'closing record: count or digest does not fit the records');
}

/** A mark may vouch for fewer records than there are, never for more or for others. */
function checkMark(mark: Mark, digests: readonly Uint8Array[]): void {
  const expected = digests[mark.vouchedRecords];
  if (mark.vouchedRecords === 0) return;
  if (expected !== undefined && equal(mark.vouchedDigest, expected)) return;
  throw new CryptoError('MARK_FORGED', 'mark: the records it vouches for are not those that are there');
}

/** Before a session's first segment there is none that it could name. */
function checkFirst({ sequence }: SegmentHeader, closing: Closing | undefined): void {
  if (sequence > 0 || closing === undefined || isZero(closing.previousDigest)) return;
  throw new CryptoError('CHAIN_BROKEN', 'segment 0 names a segment before it');
}

/**
 * Checks that a segment follows the one before it in the same session. Both have to be complete for the chain
 * to say anything. @throws CryptoError CHAIN_BROKEN.
 */
export function checkChain(before: OpenedSegment, segment: OpenedSegment): void {
  if (before.closing === undefined || segment.closing === undefined) return;
  const follows =
    equal(segment.closing.previousDigest, before.digest) &&
    segment.header.sequence === before.header.sequence + 1 &&
    !before.closing.final;
  if (!follows) {
    throw new CryptoError(
      'CHAIN_BROKEN',
      `segment ${segment.header.sequence} does not follow the one before it`,
    );
  }
}
