import type { Clock } from '../../host/clock.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { DiskAttempts } from './disk-attempts.ts';
import { selectEvictions } from './eviction-rules.ts';
import { PASS_INTERVAL_MS, restAfterPass, type SpoolLimits, WRITE_AFTER_MS } from './limits.ts';
import type { Reclaimer } from './reclaimer.ts';
import { PREFACE_LENGTH } from './records-file.ts';
import type { SegmentIndex } from './segment-index.ts';
import type { SpoolFiles } from './spool-files.ts';
import type { SpooledSegment } from './spooled-segment.ts';
import { TOMBSTONE_LENGTH } from './tombstone.ts';

export interface FlusherParts {
  readonly clock: Clock;
  readonly limits: SpoolLimits;
  readonly log: AgentLog;
  readonly segmentIndex: SegmentIndex;
  readonly spoolFiles: SpoolFiles;
  readonly attempts: DiskAttempts;
  readonly reclaimer: Reclaimer;
}

/** Bytes that a dropped segment takes up until its file is unlinked. */
const LEFT_BY_DROPPED = PREFACE_LENGTH + TOMBSTONE_LENGTH;

/** Brings the disk to where the holdings want it, in passes, one at a time. */
export class Flusher {
  readonly #parts: FlusherParts;
  readonly #stop = new AbortController();
  #wake = Promise.withResolvers<void>();
  #lastTurn: Promise<unknown> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  constructor(parts: FlusherParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Makes the next pass begin now. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Looks once what is due, and does it. `everything`: all that is held is due, and durably. */
  pass(everything = false): Promise<void> {
    return this.#inTurn(() => this.#pass(everything));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  /** Drops the oldest segment that has room on the disk to give; false when there is none. */
  evictOldest(): Promise<boolean> {
    const { segmentIndex, reclaimer } = this.#parts;
    return this.#inTurn(async () => {
      const oldest = segmentIndex.segments.find(
        ({ diskBytes, tombstone }) => tombstone === undefined && diskBytes > LEFT_BY_DROPPED,
      );
      if (oldest === undefined) return false;
      this.#drop(oldest);
      await reclaimer.writeTombstones();
      return true;
    });
  }

  /** Whether what is nowhere but in memory should not wait for its time. */
  get isPressing(): boolean {
    return this.#parts.segmentIndex.pinnedBytes > this.#parts.limits.maxMemoryBytes / 2;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    for (let restMs = PASS_INTERVAL_MS; !signal.aborted; restMs = this.#rest()) {
      try {
        await Promise.race([clock.sleep(restMs, signal), this.#wake.promise]);
      } catch {
        return;
      }
      this.#wake = Promise.withResolvers();
      try {
        await this.pass();
      } catch (error) {
        log.error(errorFields(error), 'spool: a pass failed');
      }
    }
  }

  /** How long there is nothing to do, ms. */
  #rest(): number {
    const { clock, segmentIndex } = this.#parts;
    const { released, segments } = segmentIndex;
    const now = clock.monotonic();
    let oldestMs: number | undefined;
    let isBehind = released.size > 0;
    for (const { buried, index, tombstone, trouble, unwritten } of segments) {
      isBehind ||= trouble.failures > 0 || (tombstone !== undefined && !buried);
      if (unwritten !== undefined) oldestMs = Math.max(oldestMs ?? 0, now - (index.time(unwritten) ?? now));
    }
    return restAfterPass({ oldestMs, isBehind });
  }

  async #pass(everything: boolean): Promise<void> {
    const { segmentIndex, limits, spoolFiles, reclaimer } = this.#parts;
    await reclaimer.free();
    await reclaimer.writeTombstones();
    const durably = everything || this.isPressing;
    const due = this.#due(durably, everything);
    if (due.length === 0 && spoolFiles.bytes <= limits.maxBytes) return;
    const isFull = await this.#write(due, durably, await this.#measureBudget());
    if (isFull) await this.#write(due, durably, Math.min(limits.maxBytes, spoolFiles.bytes));
    segmentIndex.bound();
  }

  #due(all: boolean, unpausing: boolean): SpooledSegment[] {
    const { attempts, clock, segmentIndex } = this.#parts;
    const now = clock.monotonic();
    return segmentIndex.segments.filter((segment) => {
      if (!unpausing && attempts.isPausing(segment)) return false;
      const { file, index, state, unwritten } = segment;
      const ended = state !== 'open';
      if (unwritten === undefined) return segment.isUnsynced && (all || ended);
      if (all || (ended && file !== undefined)) return true;
      return now - (index.time(unwritten) ?? now) >= WRITE_AFTER_MS;
    });
  }

  /** Makes room within `budget` and writes what fits. True when the disk turned out to be full before. */
  async #write(due: readonly SpooledSegment[], durably: boolean, budget: number): Promise<boolean> {
    const { attempts, spoolFiles } = this.#parts;
    const withheld = await this.#makeRoom(new Set(due), budget);
    for (const segment of due) {
      if (withheld.has(segment) || segment.tombstone !== undefined) continue;
      if (spoolFiles.bytes + spoolFiles.pendingBytes(segment) > budget) continue;
      const sync = durably || segment.state !== 'open';
      const directory = spoolFiles.directoryOf(segment);
      const failure = await attempts.forSegment(segment, () => directory.write(segment, sync));
      if (failure === 'DISK_FULL') return true;
    }
    return false;
  }

  /** Drops what the policy says; returns what is not to be written. */
  async #makeRoom(
    due: ReadonlySet<SpooledSegment>,
    budget: number,
  ): Promise<ReadonlySet<SpooledSegment | undefined>> {
    const { segmentIndex, limits, spoolFiles, reclaimer } = this.#parts;
    const { segments } = segmentIndex;
    const occupancies = segments.map((segment) => ({
      disk: segment.diskBytes,
      pending: due.has(segment) ? spoolFiles.pendingBytes(segment) : 0,
      pinned: segment.pinnedBytes,
    }));
    const shared = spoolFiles.bytes - occupancies.reduce((sum, { disk }) => sum + disk, 0);
    const { drop, withhold } = selectEvictions(occupancies, {
      disk: budget - shared,
      memory: limits.maxMemoryBytes,
      tombstone: LEFT_BY_DROPPED,
    });
    for (const index of drop) this.#drop(segments[index]);
    if (drop.length > 0) await reclaimer.writeTombstones();
    return new Set(withhold.map((index) => segments[index]));
  }

  #drop(segment: SpooledSegment | undefined): void {
    if (segment === undefined) return;
    this.#parts.segmentIndex.drop(segment);
    const { sequence, session, droppedUs } = segment;
    this.#parts.log.warn({ session: session.number, sequence, droppedUs }, 'spool: no room, segment dropped');
  }

  /** Bytes that the spool's files may take up together. */
  async #measureBudget(): Promise<number> {
    const { attempts, limits, spoolFiles } = this.#parts;
    let budget = limits.maxBytes;
    await attempts.plain(async () => {
      const free = await spoolFiles.disk.freeBytes(spoolFiles.dir);
      budget = Math.min(budget, spoolFiles.bytes + free - limits.minFreeBytes);
    });
    return budget;
  }
}
