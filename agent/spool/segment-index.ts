import { SpoolCounters } from './counters.ts';
import { selectEvictions } from './eviction-rules.ts';
import type { SpoolLimits } from './limits.ts';
import type { SpooledSegment } from './spooled-segment.ts';
import type { SealedRecord } from './stored-segment.ts';

/**
 * What the spool holds, in memory: the segments in their order, and the account of them. Does no I/O; what
 * has to happen on the disk the flusher reads from the segments' state.
 */
export class SegmentIndex {
  readonly counters = new SpoolCounters();
  readonly #limits: SpoolLimits;
  #segments: SpooledSegment[] = [];
  #listed: readonly SpooledSegment[] | undefined;
  /** Segments with records in memory, and how many bytes of them. */
  readonly #inMemory = new Set<SpooledSegment>();
  #memoryBytes = 0;
  /** Segments whose files are of no more use. */
  readonly released = new Set<SpooledSegment>();
  readonly #listeners = new Set<() => void>();

  constructor(limits: SpoolLimits) {
    this.#limits = limits;
  }

  /** Oldest first. */
  get segments(): readonly SpooledSegment[] {
    this.#listed ??= [...this.#segments];
    return this.#listed;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Bytes that are nowhere but in memory. */
  get pinnedBytes(): number {
    let bytes = 0;
    for (const segment of this.#inMemory) bytes += segment.pinnedBytes;
    return bytes;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds a segment, with what was found of it on the disk. */
  add(segment: SpooledSegment): void {
    this.#segments.push(segment);
    this.#listed = undefined;
    const found = segment.tombstone?.lost ?? segment.held;
    this.counters.capture(found);
    if (segment.tombstone !== undefined) this.#countDropped(segment);
    this.#notify();
  }

  append(segment: SpooledSegment, record: SealedRecord, at: number): void {
    const counters = { records: 1, bytes: record.bytes.length, durationUs: record.durationUs };
    const kept = this.#changing(segment, () => segment.append(record, at));
    this.counters.capture(counters);
    if (!kept) this.counters.drop(counters);
    this.bound();
    this.#notify();
  }

  finish(segment: SpooledSegment): void {
    segment.finish();
    this.#releaseIfSpent(segment);
    this.#notify();
  }

  acknowledge(segment: SpooledSegment, durable: number): void {
    this.counters.acknowledge(this.#changing(segment, () => segment.acknowledge(durable)));
    this.#releaseIfSpent(segment);
  }

  /** Forgets a segment. What of it was not acknowledged counts as dropped: nobody said that it is safe. */
  settle(segment: SpooledSegment): void {
    if (!this.#segments.includes(segment)) return;
    this.counters.drop(this.#changing(segment, () => segment.drop()));
    this.#remove(segment);
    this.#notify();
  }

  drop(segment: SpooledSegment): void {
    if (segment.tombstone !== undefined) return;
    this.counters.drop(this.#changing(segment, () => segment.drop()));
    this.#countDropped(segment);
    this.#notify();
  }

  /** Keeps memory within its bound: lets go of what is on the disk too, then drops the oldest. */
  bound(): void {
    const { maxMemoryBytes } = this.#limits;
    for (const segment of [...this.#inMemory]) {
      const excess = this.#memoryBytes - maxMemoryBytes;
      if (excess <= 0) return;
      this.#changing(segment, () => segment.evict(excess));
    }
    if (this.#memoryBytes <= maxMemoryBytes) return;
    const occupancies = this.segments.map(({ pinnedBytes }) => ({
      disk: 0,
      pending: 0,
      pinned: pinnedBytes,
    }));
    const room = { disk: Number.POSITIVE_INFINITY, memory: maxMemoryBytes, tombstone: 0 };
    const { segments } = this;
    for (const index of selectEvictions(occupancies, room).drop) {
      const segment = segments[index];
      if (segment !== undefined) this.drop(segment);
    }
  }

  #countDropped(segment: SpooledSegment): void {
    this.counters.dropSegment();
    if (segment.buried) this.counters.drop(segment.tombstone?.lost ?? segment.held);
    const dropped = this.#segments.filter(({ state }) => state === 'dropped');
    for (const oldest of dropped.slice(0, Math.max(0, dropped.length - this.#limits.maxTombstones))) {
      this.counters.forgetTombstone();
      this.#remove(oldest);
    }
  }

  /** Keeps the account of memory over a change of one segment. */
  #changing<T>(segment: SpooledSegment, change: () => T): T {
    const before = segment.memoryBytes;
    const result = change();
    this.#memoryBytes += segment.memoryBytes - before;
    if (segment.memoryBytes > 0) this.#inMemory.add(segment);
    else this.#inMemory.delete(segment);
    return result;
  }

  #releaseIfSpent(segment: SpooledSegment): void {
    if (segment.isSpent) this.released.add(segment);
  }

  #remove(segment: SpooledSegment): void {
    this.#segments = this.#segments.filter((other) => other !== segment);
    this.#listed = undefined;
    segment.forgotten = true;
    this.released.add(segment);
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
