import { DIGEST_LENGTH } from '../../crypto/header.ts';
import type { SealedRecord } from './stored-segment.ts';

/** Where a run of records begins within its segment. */
export interface RunStart {
  /** Byte of the segment at which the first record stands. */
  readonly offset: number;
  /** Records before it. */
  readonly records: number;
  /** Running digest there, 32 bytes. */
  readonly digest: Uint8Array;
}

/**
 * What the spool knows of a run of records. Kept small (some 60 bytes a record), since there is one for
 * every segment on the disk. Records count from 0 within the run.
 */
export class RecordIndex {
  readonly start: RunStart;
  readonly #ends: number[] = [];
  readonly #durations: number[] = [];
  readonly #times: number[] = [];
  readonly #bytes: (Uint8Array | undefined)[] = [];
  #digests = new Uint8Array(DIGEST_LENGTH * 4);

  constructor(start: RunStart) {
    this.start = start;
  }

  get count(): number {
    return this.#ends.length;
  }

  /** Adds a record that appeared at monotonic time `at`; `bytes` when it is in memory. */
  push(record: Omit<SealedRecord, 'bytes'>, length: number, at: number, bytes?: Uint8Array): void {
    const count = this.count;
    if (this.#digests.length < (count + 1) * DIGEST_LENGTH) {
      const grown = new Uint8Array(this.#digests.length * 2);
      grown.set(this.#digests);
      this.#digests = grown;
    }
    this.#digests.set(record.digest, count * DIGEST_LENGTH);
    this.#ends.push(this.offset(count) + length);
    this.#durations.push(record.durationUs);
    this.#times.push(at);
    this.#bytes.push(bytes);
  }

  /** The segment's byte at which record `index` begins; for `count`, at which the run ends. */
  offset(index: number): number {
    return index === 0 ? this.start.offset : (this.#ends[index - 1] ?? Number.NaN);
  }

  length(index: number): number {
    return this.offset(index + 1) - this.offset(index);
  }

  /** Running digest before record `index`; for `count`, at the run's end. */
  digest(index: number): Uint8Array {
    if (index === 0) return this.start.digest;
    return this.#digests.slice((index - 1) * DIGEST_LENGTH, index * DIGEST_LENGTH);
  }

  duration(index: number): number {
    return this.#durations[index] ?? 0;
  }

  time(index: number): number | undefined {
    return this.#times[index];
  }

  bytes(index: number): Uint8Array | undefined {
    return this.#bytes[index];
  }

  /** The bytes of records `from` up to `to`. @throws when one of them is not in memory. */
  frames(from: number, to: number): Uint8Array[] {
    return this.#bytes.slice(from, to).map((bytes, i) => {
      if (bytes === undefined) throw new Error(`record ${from + i} is not in memory`);
      return bytes;
    });
  }

  /** Lets go of a record's bytes; returns how many there were. */
  release(index: number): number {
    const length = this.#bytes[index]?.length ?? 0;
    this.#bytes[index] = undefined;
    return length;
  }

  /** How many records end at or before byte `offset` of the segment. */
  countBefore(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offset(middle + 1) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
