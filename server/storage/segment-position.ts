import { CryptoError } from '../../crypto/errors.ts';
import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { MARK_PAYLOAD_LENGTH } from '../../crypto/mark.ts';
import {
  endsSegment,
  MARK_COUNTER,
  RECORD_HEADER_LENGTH,
  RECORD_TYPES,
  type RecordFrame,
  readRecord,
  SEGMENT_TAG_LENGTH,
} from '../../crypto/record.ts';
import { MAX_RECORD_BYTES } from '../../wire/limits.ts';
import { Refused } from '../errors.ts';

/** Where a segment's copy ends: always between two records. */
export interface SegmentPosition {
  /** Bytes from the segment's start, its header included; 0 when there is nothing yet. */
  readonly length: number;
  /** The counter that the next sealed record has to have. */
  readonly counter: number;
  /** Whether the last record was a closing record or a mark. */
  readonly ended: boolean;
}

export const NOTHING: SegmentPosition = { length: 0, counter: 0, ended: false };
export const AFTER_HEADER: SegmentPosition = { length: SEGMENT_HEADER_LENGTH, counter: 0, ended: false };

type Checksum = (data: Uint8Array) => number;

/**
 * Where a segment ends once the record at `offset` of `bytes` is appended, judged without any key: checksums,
 * segment tag, turn and limits (docs/reference/protocol.md, "Records"). Undefined when more bytes are needed.
 * @throws Refused RECORD_REFUSED, BODY_OVERSIZED.
 */
export function afterRecord(
  position: SegmentPosition,
  tag: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  crc32: Checksum,
): SegmentPosition | undefined {
  if (position.ended) throw refused(position, 'the segment has ended before it');
  const record = checked(position, bytes, offset, crc32);
  if (record === undefined) return undefined;
  if (record.segmentTag.some((byte, at) => byte !== tag[at]))
    throw refused(position, 'it is of another segment');
  if (!inTurn(position, record)) throw refused(position, 'its counter or type is out of turn');
  return {
    length: position.length + record.length,
    counter: position.counter + 1,
    ended: endsSegment(record.type),
  };
}

/** The length of the frame at `offset`, as its head says; undefined when the head is not whole. */
export function announcedLength(bytes: Uint8Array, offset: number): number | undefined {
  if (bytes.length - offset < RECORD_HEADER_LENGTH) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset + offset).getUint32(0);
}

/** The first bytes of the segment header's hash, which every record of the segment carries. */
export function segmentTag(headerHash: Uint8Array): Uint8Array {
  return headerHash.subarray(0, SEGMENT_TAG_LENGTH);
}

/** Opening record first and only then, counters without a gap; a mark may stand anywhere but is of one length. */
function inTurn(position: SegmentPosition, record: RecordFrame): boolean {
  if (record.type === RECORD_TYPES.mark) {
    return record.counter === MARK_COUNTER && record.payload.length === MARK_PAYLOAD_LENGTH;
  }
  return (
    record.counter === position.counter && (record.type === RECORD_TYPES.opening) === (position.counter === 0)
  );
}

function checked(position: SegmentPosition, bytes: Uint8Array, offset: number, crc32: Checksum) {
  try {
    return readRecord(bytes, offset, crc32);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    const announced = announcedLength(bytes, offset) ?? 0;
    if (error.code === 'RECORD_MALFORMED' && announced > MAX_RECORD_BYTES) {
      throw new Refused(
        'BODY_OVERSIZED',
        `record of ${announced} bytes exceeds the limit of ${MAX_RECORD_BYTES}`,
      );
    }
    throw refused(position, error.code, error);
  }
}

function refused(position: SegmentPosition, why: string, cause?: unknown): Refused {
  return new Refused('RECORD_REFUSED', `record at byte ${position.length}: ${why}`, { cause });
}
