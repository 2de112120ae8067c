import { equal } from './bytes.ts';
import { SEGMENT_HEADER_LENGTH } from './header.ts';
import {
  endsSegment,
  MARK_COUNTER,
  RECORD_HEADER_LENGTH,
  RECORD_TYPES,
  type RecordFrame,
  readRecord,
  SEGMENT_TAG_LENGTH,
} from './record.ts';

/** How a segment's records are walked, by camera, server and opener: from one position, always between two records, to the next. */
export interface SegmentPosition {
  /** Bytes from the segment's start, its header included; 0 when there is nothing yet. */
  readonly length: number;
  /** The counter that the next sealed record has to have. */
  readonly counter: number;
  /** Whether the last record was a closing record or a mark. */
  readonly ended: boolean;
}

export const AFTER_HEADER: SegmentPosition = { length: SEGMENT_HEADER_LENGTH, counter: 0, ended: false };

export const positionAfter = (
  { length, counter }: SegmentPosition,
  record: Pick<RecordFrame, 'length' | 'type'>,
): SegmentPosition => ({
  length: length + record.length,
  counter: counter + 1,
  ended: endsSegment(record.type),
});

/** The first bytes of the segment header's hash, which every record of the segment carries. */
export const segmentTag = (headerHash: Uint8Array): Uint8Array => headerHash.subarray(0, SEGMENT_TAG_LENGTH);

/**
 * - `foreign`: of another segment
 * - `trailing`: behind the end of the segment
 * - `turn`: its counter is not that of its place; a mark has one of its own
 * - `type`: an opening record that is not the first, or another that is
 */
export type PlaceFault = 'foreign' | 'trailing' | 'turn' | 'type';

/** What is wrong with a record at `position`; the first fault in the order of docs/reference/format.md. */
export function placeFault(
  position: SegmentPosition,
  tag: Uint8Array,
  { segmentTag: ownTag, counter, type }: Pick<RecordFrame, 'segmentTag' | 'counter' | 'type'>,
): PlaceFault | undefined {
  const isMark = type === RECORD_TYPES.mark;
  if (!equal(ownTag, tag)) return 'foreign';
  if (position.ended) return 'trailing';
  if (counter !== (isMark ? MARK_COUNTER : position.counter)) return 'turn';
  if (!isMark && (type === RECORD_TYPES.opening) !== (position.counter === 0)) return 'type';
  return undefined;
}

/**
 * The record at `offset` of `bytes`, which stands at `position` of its segment; undefined when more bytes are needed. Throws
 * for one that is refused.
 */
export type JudgeRecord = (
  position: SegmentPosition,
  bytes: Uint8Array,
  offset: number,
) => RecordFrame | undefined;

/** The records of a whole segment up to the first that is not whole, wherever they belong. @throws CryptoError as readRecord. */
export function* recordsIn(
  bytes: Uint8Array,
  crc32: (data: Uint8Array) => number,
): Generator<{ readonly record: RecordFrame; readonly at: number }> {
  for (let at = SEGMENT_HEADER_LENGTH; ; ) {
    const record = readRecord(bytes, at, crc32);
    if (record === undefined) return;
    yield { record, at };
    at += record.length;
  }
}

/** The length of the frame at `offset`, as its head says; undefined when the head is not whole. */
export function announcedLength(bytes: Uint8Array, offset: number): number | undefined {
  if (bytes.length - offset < RECORD_HEADER_LENGTH) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset + offset).getUint32(0);
}

const CAPACITY_STEP = 64 * 1024;

/** What a chunk completed: bytes of whole records in order, and where the segment ends after them. */
export interface RecordBatch {
  /** Valid until the next chunk is taken. Empty when no record was completed. */
  readonly batch: readonly Uint8Array[];
  readonly position: SegmentPosition;
  /** Why the bytes after the batch are refused: what the judge threw. Nothing may be taken after it. */
  readonly refusal?: unknown;
}

/**
 * Cuts a segment's bytes, which come in chunks of any size, into whole records and has each judged. Records that lie whole in
 * a chunk are not copied; the one across chunks is gathered in a buffer that is kept for the next. Holds at
 * most one record.
 */
export class RecordScanner {
  readonly #judgeRecord: JudgeRecord;
  #position: SegmentPosition;
  #gathered = new Uint8Array(0);
  #filled = 0;
  /** Of the last chunk what is still to be gathered: not before its batch, which may lie there, was used. */
  #rest: Uint8Array = this.#gathered;

  /** @param position where the first chunk begins. */
  constructor(position: SegmentPosition, judge: JudgeRecord) {
    this.#position = position;
    this.#judgeRecord = judge;
  }

  /** Bytes of a record that is not whole yet. */
  get pending(): number {
    return this.#filled + this.#rest.length;
  }

  take(chunk: Uint8Array): RecordBatch {
    const batch: Uint8Array[] = [];
    this.#gather(this.#rest);
    this.#rest = chunk.subarray(chunk.length);
    try {
      this.#cut(chunk, batch);
      return { batch, position: this.#position };
    } catch (refusal) {
      return { batch, position: this.#position, refusal };
    }
  }

  #cut(chunk: Uint8Array, batch: Uint8Array[]): void {
    let at = this.#complete(chunk, batch);
    const start = at;
    try {
      for (let length = this.#pass(chunk, at); length > 0; length = this.#pass(chunk, at)) at += length;
    } finally {
      if (at > start) batch.push(chunk.subarray(start, at));
    }
    this.#rest = chunk.subarray(at);
  }

  /** Completes the gathered record from the chunk's first bytes; returns how many belonged to it. */
  #complete(chunk: Uint8Array, batch: Uint8Array[]): number {
    let at = 0;
    while (this.#filled > 0 && at < chunk.length) {
      const goal = this.#announced() ?? RECORD_HEADER_LENGTH;
      const part = chunk.subarray(at, at + goal - this.#filled);
      this.#gather(part);
      at += part.length;
      if (this.#filled < goal) break;
      const whole = this.#gathered.subarray(0, this.#filled);
      if (this.#pass(whole, 0) === 0) continue;
      this.#filled = 0;
      batch.push(whole);
    }
    return at;
  }

  /** Moves on past the record at `offset`; returns its length, 0 when it is not whole. */
  #pass(bytes: Uint8Array, offset: number): number {
    if (offset === bytes.length) return 0;
    const record = this.#judgeRecord(this.#position, bytes, offset);
    if (record === undefined) return 0;
    this.#position = positionAfter(this.#position, record);
    return record.length;
  }

  /** A head is judged as soon as it is whole: no length is trusted here before that. */
  #announced(): number | undefined {
    return announcedLength(this.#gathered.subarray(0, this.#filled), 0);
  }

  #gather(part: Uint8Array): void {
    const needed = this.#filled + part.length;
    const capacity = Math.max(needed, this.#announced() ?? 0);
    if (capacity > this.#gathered.length) {
      const larger = new Uint8Array(Math.ceil(capacity / CAPACITY_STEP) * CAPACITY_STEP);
      larger.set(this.#gathered.subarray(0, this.#filled));
      this.#gathered = larger;
    }
    this.#gathered.set(part, this.#filled);
    this.#filled = needed;
  }
}
