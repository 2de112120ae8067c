import { MAX_SEGMENT_RECORDS, RECORD_HEADER_LENGTH } from '../../crypto/record.ts';
import { Refused } from '../errors.ts';
import { afterRecord, announcedLength, type SegmentPosition } from '../storage/segment-position.ts';

const CAPACITY_STEP = 64 * 1024;

/** What a chunk completed: bytes of whole records in order, and where the segment ends after them. */
export interface RecordBatch {
  /** Valid until the next chunk is taken. Empty when no record was completed. */
  readonly batch: readonly Uint8Array[];
  readonly position: SegmentPosition;
  /** Why the bytes after the batch are refused. Nothing may be taken after it. */
  readonly refusal?: unknown;
}

/**
 * Cuts a body, which comes in chunks of any size, into whole records and judges each. Records that lie whole in
 * a chunk are not copied; the one across chunks is gathered in a buffer that is kept for the next. Holds at
 * most one record.
 */
export class RecordReader {
  readonly #tag: Uint8Array;
  readonly #crc32: (data: Uint8Array) => number;
  #position: SegmentPosition;
  #gathered = Buffer.alloc(0);
  #filled = 0;
  /** Of the last chunk what is still to be gathered: not before its batch, which may lie there, was used. */
  #rest: Uint8Array = this.#gathered;

  constructor(position: SegmentPosition, tag: Uint8Array, crc32: (data: Uint8Array) => number) {
    this.#position = position;
    this.#tag = tag;
    this.#crc32 = crc32;
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
      for (let next = this.#judge(chunk, at); next !== undefined; next = this.#judge(chunk, at)) {
        at += next.length - this.#position.length;
        this.#position = next;
      }
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
      const next = this.#judge(whole, 0);
      if (next === undefined) continue;
      this.#position = next;
      this.#filled = 0;
      batch.push(whole);
    }
    return at;
  }

  #judge(bytes: Uint8Array, offset: number): SegmentPosition | undefined {
    if (offset === bytes.length) return undefined;
    const next = afterRecord(this.#position, this.#tag, bytes, offset, this.#crc32);
    // Opening a segment costs memory for each record, however small: openers take no more either.
    if (next !== undefined && next.counter > MAX_SEGMENT_RECORDS) {
      throw new Refused('RECORD_REFUSED', `a segment has at most ${MAX_SEGMENT_RECORDS} records`);
    }
    return next;
  }

  /** A head is judged as soon as it is whole: no length is trusted here before that. */
  #announced(): number | undefined {
    return announcedLength(this.#gathered.subarray(0, this.#filled), 0);
  }

  #gather(part: Uint8Array): void {
    const needed = this.#filled + part.length;
    const capacity = Math.max(needed, this.#announced() ?? 0);
    if (capacity > this.#gathered.length) {
      const larger = Buffer.allocUnsafeSlow(Math.ceil(capacity / CAPACITY_STEP) * CAPACITY_STEP);
      this.#gathered.copy(larger, 0, 0, this.#filled);
      this.#gathered = larger;
    }
    this.#gathered.set(part, this.#filled);
    this.#filled = needed;
  }
}
