import { CryptoError } from '../../crypto/errors.ts';
import { MARK_PAYLOAD_LENGTH } from '../../crypto/mark.ts';
import { MAX_SEGMENT_RECORDS, RECORD_TYPES, type RecordFrame, readRecord } from '../../crypto/record.ts';
import {
  announcedLength,
  placeFault,
  RecordScanner,
  type SegmentPosition,
} from '../../crypto/record-scanner.ts';
import { MAX_RECORD_BYTES } from '../../wire/upload.ts';
import { Refused } from '../errors.ts';

type Checksum = (data: Uint8Array) => number;

/** Scans what is appended to a segment from `position` on, record by record. @param tag of the segment's records. */
export function segmentScanner(position: SegmentPosition, tag: Uint8Array, crc32: Checksum): RecordScanner {
  return new RecordScanner(position, (at, bytes, offset) => judgeRecord(at, tag, bytes, offset, crc32));
}

/**
 * The record at `offset` of `bytes`, judged without any key: checksums, segment tag, turn and limits
 * (docs/reference/protocol.md, "Records"). Undefined when more bytes are needed.
 * @throws Refused RECORD_REFUSED, BODY_OVERSIZED.
 */
function judgeRecord(
  position: SegmentPosition,
  tag: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  crc32: Checksum,
): RecordFrame | undefined {
  if (position.ended) throw refused(position, 'the segment has ended before it');
  const record = checked(position, bytes, offset, crc32);
  if (record === undefined) return undefined;
  const fault = placeFault(position, tag, record);
  if (fault === 'foreign') throw refused(position, 'it is of another segment');
  const isMarkOfOtherLength =
    record.type === RECORD_TYPES.mark && record.payload.length !== MARK_PAYLOAD_LENGTH;
  if (fault !== undefined || isMarkOfOtherLength)
    throw refused(position, 'its counter or type is out of turn');
  // Opening a segment costs memory for each record, however small: openers take no more either.
  if (position.counter >= MAX_SEGMENT_RECORDS) {
    throw new Refused('RECORD_REFUSED', `a segment has at most ${MAX_SEGMENT_RECORDS} records`);
  }
  return record;
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
