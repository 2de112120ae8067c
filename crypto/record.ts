import { CryptoError } from './errors.ts';

/**
 * The frame around every record of a segment (docs/reference/format.md, "Records"). It can be read and checked
 * without any key, so that a restarted camera and the server know which records are whole.
 *
 *     length u32 | segment tag 4 | counter u32 | duration u32 (µs) | type u8 | head crc32 u32 | payload | crc32 u32
 *
 * `length` counts the whole frame. The head's checksum covers the 17 bytes before it, so that a damaged
 * length is told from a record still being written; the last one covers everything before it. They find
 * accidents; the authentication tag inside the payload finds attackers.
 */

export const RECORD_TYPES = { opening: 0, fragment: 1, closing: 2, mark: 3 } as const;
export type RecordType = (typeof RECORD_TYPES)[keyof typeof RECORD_TYPES];

const CHECKED_HEAD_LENGTH = 17;
export const RECORD_HEADER_LENGTH = CHECKED_HEAD_LENGTH + 4;
export const RECORD_OVERHEAD = RECORD_HEADER_LENGTH + 4;
/** A frame's greatest length, bytes: one fragment of a fifth of a second at 300 Mbit/s. */
export const MAX_RECORD_LENGTH = 8 * 1024 * 1024;
/** Records of one segment, of all types; a camera's has some thousands at most. */
export const MAX_SEGMENT_RECORDS = 65_536;
export const SEGMENT_TAG_LENGTH = 4;
/** The counter of a mark, which stands outside the sealed sequence. */
export const MARK_COUNTER = 0xffffffff;

export interface RecordFrame {
  /** Bytes of the whole frame. */
  readonly length: number;
  /** First bytes of the segment header's hash. */
  readonly segmentTag: Uint8Array;
  readonly counter: number;
  /** Duration of the video samples in this record, microseconds. */
  readonly durationUs: number;
  readonly type: RecordType;
  /** A view into the bytes given, not a copy. */
  readonly payload: Uint8Array;
}

type Checksum = (data: Uint8Array, seed?: number) => number;

/** Writes the frame's head into `frame`, whose length is the frame's. */
export function writeRecordHeader(
  frame: Uint8Array,
  segmentTag: Uint8Array,
  counter: number,
  durationUs: number,
  type: RecordType,
  crc32: Checksum,
): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  view.setUint32(0, frame.length);
  frame.set(segmentTag.subarray(0, SEGMENT_TAG_LENGTH), 4);
  view.setUint32(8, counter);
  view.setUint32(12, durationUs);
  frame[16] = type;
  view.setUint32(CHECKED_HEAD_LENGTH, crc32(frame.subarray(0, CHECKED_HEAD_LENGTH)) >>> 0);
}

/** Ends a frame whose head and payload are written: fills in its checksum. */
export function finishRecord(frame: Uint8Array, crc32: Checksum): Uint8Array {
  const end = frame.length - 4;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  view.setUint32(end, crc32(frame.subarray(0, end)) >>> 0);
  return frame;
}

/**
 * Reads the frame at `offset`. Undefined when more bytes are needed to hold it whole.
 * @throws CryptoError RECORD_MALFORMED for a length or type outside the limits (told from the head
 *   alone, before anything is buffered), RECORD_CORRUPT when a checksum does not fit.
 */
export function readRecord(bytes: Uint8Array, offset: number, crc32: Checksum): RecordFrame | undefined {
  const left = bytes.length - offset;
  if (left < RECORD_HEADER_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, left);
  const headSum = crc32(bytes.subarray(offset, offset + CHECKED_HEAD_LENGTH)) >>> 0;
  if (headSum !== view.getUint32(CHECKED_HEAD_LENGTH)) {
    throw new CryptoError('RECORD_CORRUPT', `record at byte ${offset}: checksum of its head does not fit`);
  }
  const length = view.getUint32(0);
  if (length < RECORD_OVERHEAD || length > MAX_RECORD_LENGTH) {
    throw new CryptoError('RECORD_MALFORMED', `record length ${length} is outside the limits`);
  }
  const type = view.getUint8(16);
  if (!isRecordType(type)) throw new CryptoError('RECORD_MALFORMED', `record type ${type} is unknown`);
  if (left < length) return undefined;
  const end = offset + length - 4;
  if (crc32(bytes.subarray(offset, end)) >>> 0 !== view.getUint32(length - 4)) {
    throw new CryptoError('RECORD_CORRUPT', `record at byte ${offset}: checksum does not fit`);
  }
  return {
    length,
    segmentTag: bytes.subarray(offset + 4, offset + 8),
    counter: view.getUint32(8),
    durationUs: view.getUint32(12),
    type,
    payload: bytes.subarray(offset + RECORD_HEADER_LENGTH, end),
  };
}

function isRecordType(value: number): value is RecordType {
  return value <= RECORD_TYPES.mark;
}

/** Whether a record of this type ends its segment. */
export function endsSegment(type: RecordType): boolean {
  return type === RECORD_TYPES.closing || type === RECORD_TYPES.mark;
}
