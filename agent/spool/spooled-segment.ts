import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { endsSegment, type RecordType } from '../../crypto/record.ts';
import { add, type Counters, NOTHING } from './counters.ts';
import { SpoolError } from './errors.ts';
import { RecordIndex, type RunStart } from './record-index.ts';
import { PREFACE_LENGTH, type ScannedFrame } from './records-file.ts';
import type { SealedRecord, SegmentState, StoredSegment, StoredSession } from './stored-segment.ts';
import type { Tombstone } from './tombstone.ts';

/** A segment's records file. Records count as in the segment's index. */
export interface SegmentFile {
  readonly path: string;
  /** The record that the file begins with. */
  readonly first: number;
  /** Records from `first` up to here are in the file. */
  written: number;
  /** Records from `first` up to here are durable there. */
  synced: number;
  /** Its name is durable. */
  named: boolean;
  /** Greatest length that the file may have, bytes. */
  bytes: number;
}

const TYPE_AT = 16;

/** A segment in the spool: its records in memory and what is known of them on the disk. Does no I/O. */
export class SpooledSegment implements StoredSegment {
  readonly session: StoredSession;
  readonly sequence: number;
  readonly header: Uint8Array;
  readonly begunAt: number;
  #index: RecordIndex;
  /** Records acknowledged. */
  #first = 0;
  #base: number;
  #end: 'open' | 'ended' | 'cut' = 'open';
  #tombstone: Tombstone | undefined;
  /** A closing record was taken. */
  #closed = false;
  #memoryBytes = 0;

  file: SegmentFile | undefined;
  /** Files whose every record is acknowledged or stands in `file`. */
  obsolete: SegmentFile[] = [];
  /** It is no longer listed; only its files may be left. */
  forgotten = false;
  /** Its tombstone is on the disk. */
  buried = false;
  /** Writing it failed so often in a row, and is not tried again before. */
  trouble = { failures: 0, retryAt: 0 };
  /** Reading it failed so often in a row, since then. */
  readTrouble = { failures: 0, since: 0 };

  constructor(
    session: StoredSession,
    sequence: number,
    header: Uint8Array,
    start: RunStart,
    begunAt: number,
  ) {
    this.session = session;
    this.sequence = sequence;
    this.header = header;
    this.begunAt = begunAt;
    this.#index = new RecordIndex(start);
    this.#base = start.offset === SEGMENT_HEADER_LENGTH ? 0 : start.offset;
  }

  /** A dropped segment found on the disk. */
  static ofTombstone(session: StoredSession, sequence: number, tombstone: Tombstone): SpooledSegment {
    const segment = new SpooledSegment(session, sequence, tombstone.header, tombstone.base, 0);
    segment.#end = 'cut';
    segment.#writeTombstones(tombstone);
    segment.buried = true;
    return segment;
  }

  get state(): SegmentState {
    return this.#tombstone !== undefined && this.#end !== 'open' ? 'dropped' : this.#end;
  }

  get base(): number {
    return this.#base;
  }

  get end(): number {
    return Math.max(this.#base, this.#index.offset(this.#index.count));
  }

  get oldestHeldAt(): number | undefined {
    if (this.#base >= this.end) return undefined;
    return this.#index.time(this.#first) ?? this.begunAt;
  }

  get vouched(): { readonly records: number; readonly digest: Uint8Array } {
    const { start, count } = this.#index;
    const closing = this.#end === 'ended' && count > 0 ? 1 : 0;
    return { records: start.records + count - closing, digest: this.#index.digest(count) };
  }

  get droppedUs(): number {
    return this.#tombstone?.lost.durationUs ?? 0;
  }

  /** What is left once it was given up, whether it still grows or not. */
  get tombstone(): Tombstone | undefined {
    return this.#tombstone;
  }

  get index(): RecordIndex {
    return this.#index;
  }

  /** The first record that is not acknowledged. */
  get first(): number {
    return this.#first;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Bytes in its files. */
  get diskBytes(): number {
    return this.obsolete.reduce((sum, file) => sum + file.bytes, this.file?.bytes ?? 0);
  }

  /** Whether nothing of it has to be kept: it ended, and the server has every byte. */
  get isSpent(): boolean {
    return this.#end === 'ended' && this.#tombstone === undefined && this.#base >= this.end;
  }

  /** The first record to be written next, if any is; all from there on are in memory. */
  get unwritten(): number | undefined {
    if (this.#tombstone !== undefined) return undefined;
    const next = Math.max(this.#first, this.file?.written ?? 0);
    return next < this.#index.count ? next : undefined;
  }

  /** Bytes that writing it now would add to the disk. */
  get pendingBytes(): number {
    const next = this.unwritten;
    if (next === undefined) return 0;
    const grows =
      this.file !== undefined && this.file.written > this.file.first && next === this.file.written;
    return (grows ? 0 : PREFACE_LENGTH) + this.#index.offset(this.#index.count) - this.#index.offset(next);
  }

  /** Whether its file holds unacknowledged records that are not durable there. */
  get isUnsynced(): boolean {
    const { file } = this;
    if (file === undefined || this.#tombstone !== undefined) return false;
    return file.written > Math.max(file.synced, this.#first);
  }

  /** Bytes that are in memory and not durable on the disk. */
  get pinnedBytes(): number {
    if (this.#memoryBytes === 0) return 0;
    let bytes = 0;
    for (let i = Math.max(this.#first, this.file?.synced ?? 0); i < this.#index.count; i++) {
      bytes += this.#index.length(i);
    }
    return bytes;
  }

  /** Bytes and durations that are neither acknowledged nor dropped. */
  get held(): Counters {
    return this.#tombstone === undefined ? this.#counters(this.#first, this.#index.count) : NOTHING;
  }

  /**
   * Takes a record. Once the segment is given up the record is lost, too; false says so.
   * @throws SpoolError SPOOL_CLOSED when the segment has ended.
   */
  append(record: SealedRecord, at: number): boolean {
    if (this.#end !== 'open') throw new SpoolError('SPOOL_CLOSED', `segment ${this.sequence} has ended`);
    const { bytes, durationUs } = record;
    this.#closed ||= endsSegment(bytes[TYPE_AT] as RecordType);
    if (this.#tombstone !== undefined) {
      const lost = add(this.#tombstone.lost, { records: 1, bytes: bytes.length, durationUs });
      this.#tombstone = { ...this.#tombstone, lost };
      return false;
    }
    const digest = this.#closed ? this.#index.digest(this.#index.count) : record.digest;
    this.#index.push({ durationUs, digest }, bytes.length, at, bytes);
    this.#memoryBytes += bytes.length;
    return true;
  }

  /** Takes a record that was found on the disk. */
  recover(frame: ScannedFrame, at: number): void {
    this.#closed ||= frame.closing;
    this.#index.push(frame, frame.length, at);
  }

  /** No record follows. */
  finish(): void {
    if (this.#end === 'open') this.#end = this.#closed ? 'ended' : 'cut';
  }

  /** The server holds everything before `durable`. Returns what was acknowledged by it. */
  acknowledge(durable: number): Counters {
    if (durable < SEGMENT_HEADER_LENGTH) return NOTHING;
    if (this.#tombstone !== undefined) {
      this.#base = Math.max(this.#base, durable);
      return NOTHING;
    }
    const count = this.#index.countBefore(durable);
    const boundary = this.#index.offset(count);
    const beyond = this.#end === 'cut' && count === this.#index.count && durable > boundary;
    this.#base = Math.max(this.#base, beyond ? durable : boundary);
    if (count <= this.#first) return NOTHING;
    const counters = this.#counters(this.#first, count);
    for (let i = this.#first; i < count; i++) this.#memoryBytes -= this.#index.release(i);
    this.#first = count;
    return counters;
  }

  /** Lets go of up to `wanted` bytes of memory that are durable on the disk as well; returns how many. */
  evict(wanted: number): number {
    const until = Math.min(this.file?.synced ?? 0, this.#index.count);
    let freed = 0;
    for (let i = this.#first; i < until && freed < wanted; i++) freed += this.#index.release(i);
    this.#memoryBytes -= freed;
    return freed;
  }

  /** Gives up everything that is not acknowledged. Returns what was lost by it. */
  drop(): Counters {
    if (this.#tombstone !== undefined) return NOTHING;
    const lost = this.held;
    this.#writeTombstones({ header: this.header, base: this.position(this.#first), lost });
    return lost;
  }

  #writeTombstones(tombstone: Tombstone): void {
    this.#tombstone = tombstone;
    this.#index = new RecordIndex(tombstone.base);
    this.#first = 0;
    this.#memoryBytes = 0;
  }

  /** Where record `record` begins. */
  position(record: number): RunStart {
    const { start } = this.#index;
    const closing = this.#end === 'ended' && record === this.#index.count && record > 0 ? 1 : 0;
    return {
      offset: this.#index.offset(record),
      records: start.records + record - closing,
      digest: this.#index.digest(record),
    };
  }

  #counters(from: number, to: number): Counters {
    let durationUs = 0;
    for (let i = from; i < to; i++) durationUs += this.#index.duration(i);
    return { records: to - from, bytes: this.#index.offset(to) - this.#index.offset(from), durationUs };
  }
}
