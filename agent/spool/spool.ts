import { dirname, join } from 'node:path';
import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError, takesNothing } from '../../host/errors.ts';
import { type AgentLog, errorFields } from '../log.ts';
import { add, NOTHING } from './counters.ts';
import { DiskAttempts, isBeyondReading } from './disk-attempts.ts';
import { SpoolError } from './errors.ts';
import { Flusher } from './flusher.ts';
import { encodeLastSession, LAST_SESSION_FILE, type LastSession } from './last-session.ts';
import { DEFAULT_LIMITS, type SpoolLimits } from './limits.ts';
import { Reader } from './reader.ts';
import { Reclaimer } from './reclaimer.ts';
import type { SpoolPrimitives } from './records-file.ts';
import { type Recovered, recover } from './recovery.ts';
import { SegmentIndex } from './segment-index.ts';
import { lockSpool, SpoolFiles } from './spool-files.ts';
import { SpooledSegment } from './spooled-segment.ts';
import type { SealedRecord, StoredSegment, StoredSession, UploadQueue } from './stored-segment.ts';

export interface SpoolOptions {
  /** Created if need be; its parent exists. */
  readonly dir: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly primitives: SpoolPrimitives;
  readonly log: AgentLog;
  readonly limits?: Partial<SpoolLimits>;
  /** Claims the directory, and returns what gives it up; lockSpool if not given. @throws SpoolError SPOOL_LOCKED. */
  readonly lock?: (dir: string) => () => void;
}

/** What was captured and is not yet durable at the server (docs/design/spool.md). */
export class Spool implements UploadQueue {
  readonly #options: SpoolOptions;
  readonly #release: () => void;
  readonly #segmentIndex: SegmentIndex;
  readonly #spoolFiles: SpoolFiles;
  readonly #flusher: Flusher;
  readonly #reader: Reader;
  readonly #unread: ReadonlySet<string>;
  #last: LastSession | undefined;
  #closed = false;

  private constructor(options: SpoolOptions, release: () => void, recovered: Recovered) {
    const { dir, disk, clock, log, primitives } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#options = options;
    this.#release = release;
    this.#last = recovered.last;
    this.#unread = recovered.unread;
    const segmentIndex = new SegmentIndex(limits);
    const spoolFiles = new SpoolFiles(dir, disk, primitives, segmentIndex, recovered.directories);
    for (const segment of recovered.segments) segmentIndex.add(segment);
    const attempts = new DiskAttempts(clock, segmentIndex.counters, log);
    const reclaimer = new Reclaimer(segmentIndex, spoolFiles, attempts, limits.maxBytes);
    this.#segmentIndex = segmentIndex;
    this.#spoolFiles = spoolFiles;
    this.#reader = new Reader(disk, primitives);
    this.#flusher = new Flusher({ clock, limits, log, segmentIndex, spoolFiles, attempts, reclaimer });
    this.#flusher.start();
  }

  /**
   * Claims the directory and reads back what it holds.
   * @throws SpoolError SPOOL_LOCKED when another process has it; HostError when the disk cannot be read, or the lock be taken.
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { clock, dir, disk, log, primitives } = options;
    const release = await Spool.#claim(options);
    try {
      const recovered = await recover({ dir, disk, primitives, log, now: clock.monotonic() });
      return new Spool(options, release, recovered);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** A disk that takes nothing can neither be claimed nor changed by another: the recording goes on in memory. */
  static async #claim({ dir, disk, log, lock = lockSpool }: SpoolOptions): Promise<() => void> {
    try {
      await disk.makeDirectory(dir, 0o700);
      await disk.syncDirectory(dirname(dir));
      return lock(dir);
    } catch (error) {
      if (!(error instanceof HostError) || !takesNothing(error)) throw error;
      log.error(
        errorFields(error),
        'spool: the disk cannot be written: what is recorded waits in memory for its upload',
      );
      return () => undefined;
    }
  }

  /** The session before the one to begin next; undefined for a camera's first. */
  lastSession(): LastSession | undefined {
    return this.#last;
  }

  /**
   * Begins a session, durably. On a disk that fails it begins all the same, in memory: the recording goes on, and what
   * is lost is that a restarted camera knows of it.
   */
  async beginSession(
    header: Uint8Array,
    { id, number }: { id: string; number: number },
  ): Promise<StoredSession> {
    this.#assertOpen();
    const session: StoredSession = { id, number, header };
    try {
      await this.#rememberLast({ session, end: undefined });
    } catch (cause) {
      if (!(cause instanceof HostError)) throw cause;
      this.#segmentIndex.counters.countDiskError();
      this.#options.log.error({ code: cause.code, number }, 'spool: session begun without being durable');
      this.#last = { session, end: undefined };
    }
    this.#spoolFiles.begin(session);
    return session;
  }

  /** The last session ended with so many segments, the last of which has this digest. Durable. @throws HostError. */
  async endSession(segments: number, digest: Uint8Array): Promise<void> {
    if (this.#last === undefined) return;
    await this.#rememberLast({ session: this.#last.session, end: { segments, digest } });
  }

  /** Begins a segment of a session that has begun. `digest`: the running digest before its first record. */
  beginSegment(
    session: StoredSession,
    sequence: number,
    header: Uint8Array,
    digest: Uint8Array,
  ): StoredSegment {
    this.#assertOpen();
    if (session !== this.#spoolFiles.current)
      throw new SpoolError('SPOOL_CLOSED', `session ${session.number} is over`);
    const start = { offset: SEGMENT_HEADER_LENGTH, records: 0, digest };
    const segment = new SpooledSegment(session, sequence, header, start, this.#options.clock.monotonic());
    this.#segmentIndex.add(segment);
    return segment;
  }

  /** Takes a record into memory. Never waits. @throws SpoolError SPOOL_CLOSED once the segment has ended. */
  append(segment: StoredSegment, record: SealedRecord): void {
    this.#assertOpen();
    this.#segmentIndex.append(ours(segment), record, this.#options.clock.monotonic());
    if (this.#flusher.isPressing) this.#flusher.wake();
  }

  /** No record follows: the segment has ended if a closing record came last, otherwise it is cut. */
  endSegment(segment: StoredSegment): void {
    const spooled = ours(segment);
    this.#segmentIndex.finish(spooled);
    if (spooled.file !== undefined) this.#flusher.wake();
  }

  segments(): readonly StoredSegment[] {
    return this.#segmentIndex.segments;
  }

  async read(segment: StoredSegment, offset: number, maxBytes: number): Promise<Uint8Array> {
    const spooled = ours(segment);
    try {
      const bytes = await this.#reader.read(spooled, offset, maxBytes);
      spooled.readTrouble = { failures: 0, since: 0 };
      return bytes;
    } catch (error) {
      this.#judgeReading(spooled, error);
      throw error;
    }
  }

  acknowledge(segment: StoredSegment, durable: number): void {
    this.#segmentIndex.acknowledge(ours(segment), durable);
  }

  settle(segment: StoredSegment): void {
    this.#segmentIndex.settle(ours(segment));
  }

  isUnread(session: string): boolean {
    return this.#unread.has(session);
  }

  subscribe(listener: () => void): () => void {
    return this.#segmentIndex.subscribe(listener);
  }

  stats(): SpoolStats {
    const { counters, memoryBytes, segments } = this.#segmentIndex;
    const held = segments.reduce((sum, segment) => add(sum, segment.held), NOTHING);
    return {
      ...counters.counts,
      heldUs: held.durationUs,
      heldRecords: held.records,
      heldBytes: held.bytes,
      memoryBytes,
      buriedUs: segments.reduce((sum, { droppedUs }) => sum + droppedUs, 0),
      diskBytes: this.#spoolFiles.footageBytes,
      segments: segments.length,
    };
  }

  /** Writes what is due, now. The spool does so itself (limits.ts). */
  flush(): Promise<void> {
    return this.#flusher.pass();
  }

  /** Ends what is open, writes everything held, durably, and gives the directory up. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const segment of this.#segmentIndex.segments) this.#segmentIndex.finish(segment);
    await this.#flusher.stop();
    await this.#flusher.pass(true);
    const lost = this.#segmentIndex.pinnedBytes;
    if (lost > 0)
      this.#options.log.error({ bytes: lost }, 'spool: closed with records that the disk did not take');
    this.#release();
  }

  async #rememberLast(last: LastSession): Promise<void> {
    const { dir, disk, primitives } = this.#options;
    const bytes = encodeLastSession(last, primitives);
    for (;;) {
      try {
        await writeFileAtomic(disk, join(dir, LAST_SESSION_FILE), bytes, 0o600);
        break;
      } catch (error) {
        const full = error instanceof HostError && error.code === 'DISK_FULL';
        if (!full || !(await this.#flusher.evictOldest())) throw error;
      }
    }
    this.#last = last;
  }

  /** Gives a segment up that cannot be read: from a failing disk after a while, when damaged the second time. */
  #judgeReading(segment: SpooledSegment, error: unknown): void {
    const damaged = error instanceof SpoolError && error.code === 'SPOOL_DAMAGED';
    if (!damaged && !(error instanceof HostError)) return;
    const now = this.#options.clock.monotonic();
    const { failures, since } = segment.readTrouble;
    segment.readTrouble = { failures: failures + 1, since: failures === 0 ? now : since };
    this.#segmentIndex.counters.countDiskError();
    const beyond = damaged ? failures > 0 : isBeyondReading(failures + 1, now - segment.readTrouble.since);
    if (beyond) this.#segmentIndex.drop(segment);
  }

  #assertOpen(): void {
    if (this.#closed) throw new SpoolError('SPOOL_CLOSED', 'the spool is closed');
  }
}

/** Counts since the spool was opened, with what it found then. Durations are of video, in microseconds. */
export interface SpoolStats {
  /** Always acknowledged + held + dropped. */
  readonly capturedUs: number;
  readonly capturedRecords: number;
  readonly acknowledgedUs: number;
  readonly acknowledgedRecords: number;
  readonly heldUs: number;
  readonly heldRecords: number;
  readonly heldBytes: number;
  readonly droppedUs: number;
  readonly droppedRecords: number;
  readonly droppedBytes: number;
  /** Of the dropped, what there still is a tombstone of. */
  readonly buriedUs: number;
  readonly droppedSegments: number;
  /** Dropped segments of which no mark will be uploaded. */
  readonly forgottenTombstones: number;
  readonly diskErrors: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly segments: number;
}

function ours(segment: StoredSegment): SpooledSegment {
  if (segment instanceof SpooledSegment) return segment;
  throw new TypeError('the segment is not from this spool');
}
