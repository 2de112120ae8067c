import { concat } from '../../crypto/bytes.ts';
import type { Clock } from '../../host/clock.ts';
import type { StoredSegment, UploadQueue } from '../spool/stored-segment.ts';
import type { Connection, Dial } from './connection.ts';
import { Delivery, type DeliveryTimes, type UplinkLog } from './delivery.ts';
import { describeError, type UplinkError } from './errors.ts';
import { Lane, type LaneOptions } from './lane.ts';
import { backlogYields, liveJumps, pickBacklog, pickLive } from './lane-policy.ts';
import { headerOf, putMark, unfinishedSegments } from './marks.ts';
import { SessionAnnouncer } from './session-announcer.ts';
import { UplinkCounters, type UplinkStats } from './uplink-stats.ts';

export interface UplinkTimes extends DeliveryTimes {
  /** Live leaves a segment when it is this far behind, ms. */
  readonly behindMs: number;
  /** Backlog holds back while live is this far behind, ms. */
  readonly yieldMs: number;
}

export const UPLINK_TIMES: UplinkTimes = {
  stallMs: 10_000,
  idleMs: 15_000,
  bodyMs: 240_000,
  leaveMs: 2_000,
  exchangeMs: 15_000,
  behindMs: 2_000,
  yieldMs: 1_000,
};

export interface UplinkOptions {
  readonly queue: UploadQueue;
  /** The pinned dialer; it has to give up by itself. */
  readonly dial: Dial;
  /** Host and port as the Host field has them. */
  readonly authority: string;
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: UplinkLog;
  /** The signed mark of a cut or dropped segment. */
  readonly makeMark: (segment: StoredSegment) => Uint8Array | Promise<Uint8Array>;
  /** The signed mark of a segment of which only its header is known: cut, nothing vouched for. */
  readonly makeForeignMark: (header: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  readonly times?: Partial<UplinkTimes>;
}

/** Bytes on their way in a lane: enough for 5 × 10 Mbit/s at 160 ms, and little to wait for behind it. */
const WINDOW_BYTES = 1024 * 1024;
/** Pages of 1,000 unfinished segments that are ended at a start. */
const MAX_UNFINISHED_PAGES = 100;

/**
 * Hands the spool's segments to the server over two connections: *live* stays with the segment being
 * recorded, *backlog* brings the rest after it. Failures never reach the caller: they are counted, logged
 * and tried again.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #times: UplinkTimes;
  readonly #counters = new UplinkCounters();
  readonly #sessions: SessionAnnouncer;
  readonly #delivery: Delivery;
  readonly #live: Lane;
  readonly #backlog: Lane;
  readonly #stopping = new AbortController();
  #state: UplinkStats['state'] = 'stopped';
  #running: Promise<unknown> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;
  #formerRunsEnded = false;
  #drained = Promise.withResolvers<void>();

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#times = { ...UPLINK_TIMES, ...options.times };
    this.#sessions = new SessionAnnouncer(this.#times.exchangeMs);
    const { queue, clock, log, makeMark } = options;
    this.#delivery = new Delivery({
      queue,
      clock,
      log,
      makeMark,
      counters: this.#counters,
      sessions: this.#sessions,
      times: this.#times,
    });
    const taken = (other: () => Lane) => (segment: StoredSegment) =>
      other().holds(segment) || this.#delivery.isAbandoned(segment);
    this.#live = this.#lane('live', {
      pick: () =>
        pickLive(
          queue.segments(),
          taken(() => this.#backlog),
        ),
      mayRead: () => true,
      onIdle: async () => undefined,
    });
    this.#backlog = this.#lane('backlog', {
      pick: () =>
        pickBacklog(
          queue.segments(),
          taken(() => this.#live),
        ),
      mayRead: () => !backlogYields(this.#live.unreceivedMs, this.#times.yieldMs),
      onIdle: (connection) => this.#onBacklogIdle(connection),
    });
  }

  start(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#unsubscribe = this.#options.queue.subscribe(() => this.#changed());
    const { signal } = this.#stopping;
    this.#running = Promise.all([this.#live.run(signal), this.#backlog.run(signal)]);
  }

  /** Uploads what is there until it is all durable or `drainMs` are over; then ends for good. */
  async stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'draining';
    this.#noteDrained();
    const over = new AbortController();
    const timeout = this.#options.clock.sleep(drainMs, over.signal).catch(() => undefined);
    await Promise.race([this.#drained.promise, timeout]);
    over.abort();
    this.#unsubscribe?.();
    this.#stopping.abort();
    await this.#running;
    this.#state = 'stopped';
  }

  /** Uses new connections from the next segments on: the client certificate is another. */
  reconnect(): void {
    this.#live.reconnect();
    this.#backlog.reconnect();
  }

  stats(): UplinkStats {
    const lanes = { live: this.#live.stats(), backlog: this.#backlog.stats() };
    const { refusals, ...counted } = this.#counters;
    return {
      connected: lanes.live.connected || lanes.backlog.connected,
      state: this.#state,
      lanes,
      ...counted,
      refusals: { ...refusals },
      lastError: this.#counters.lastError,
    };
  }

  #lane(name: 'live' | 'backlog', behaviour: Pick<LaneOptions, 'pick' | 'mayRead' | 'onIdle'>): Lane {
    const { dial, authority, clock, random, log } = this.#options;
    return new Lane({
      name,
      dial,
      authority,
      clock,
      random,
      delivery: this.#delivery,
      counters: this.#counters,
      windowBytes: WINDOW_BYTES,
      stallMs: this.#times.stallMs,
      ...behaviour,
      onProgress: () => this.#progressed(name),
      onFailure: (lane, failure) => log.warn({ lane, ...failure }, 'upload failed, trying again'),
    });
  }

  #changed(): void {
    this.#delivery.sweep();
    this.#jumpWhenBehind();
    this.#live.changed();
    this.#backlog.changed();
    this.#noteDrained();
  }

  /** What live has got rid of lets backlog go on, and the other way round. */
  #progressed(lane: 'live' | 'backlog'): void {
    if (lane === 'live') this.#backlog.changed();
    this.#noteDrained();
  }

  #jumpWhenBehind(): void {
    const current = this.#live.segment;
    const newest = this.#options.queue.segments().at(-1);
    if (!current || !newest) return;
    const now = this.#options.clock.monotonic();
    const view = {
      newerBegun: newest.state === 'open' && !this.#live.holds(newest),
      unreceivedMs: this.#live.unreceivedMs,
      newerWaitingMs: newest.oldestHeldAt === undefined ? 0 : now - newest.oldestHeldAt,
    };
    if (liveJumps(view, this.#times.behindMs) && this.#live.leave()) this.#counters.jumps++;
  }

  #noteDrained(): void {
    if (this.#state !== 'draining') return;
    const open = this.#options.queue
      .segments()
      .some((segment) => segment.state !== 'open' || segment.base < segment.end);
    if (!open) this.#drained.resolve();
  }

  async #onBacklogIdle(connection: Connection): Promise<void> {
    if (!this.#formerRunsEnded) {
      await this.#endFormerRuns(connection);
      this.#formerRunsEnded = true;
    }
    if (connection.connected) connection.close();
  }

  /** Marks segments that former runs left without an end and of which the spool knows nothing. */
  async #endFormerRuns(connection: Connection): Promise<void> {
    for (let page = 0; page < MAX_UNFINISHED_PAGES; page++) {
      const listed = await unfinishedSegments(connection, this.#times.exchangeMs);
      const queued = new Set(this.#options.queue.segments().map(({ session }) => session.id));
      const foreign = listed.filter(({ session }) => !queued.has(session) && !this.#sessions.isOurs(session));
      let ended = 0;
      for (const segment of foreign) ended += (await this.#endForeign(connection, segment)) ? 1 : 0;
      if (ended === 0) return;
    }
  }

  /** False when the server refuses the mark, or names a segment that is none of ours. */
  async #endForeign(
    connection: Connection,
    listed: Awaited<ReturnType<typeof unfinishedSegments>>[number],
  ): Promise<boolean> {
    const { session, sequence, durable } = listed;
    try {
      const header = headerOf(listed);
      const mark = await this.#options.makeForeignMark(header);
      const body = durable === 0 ? concat(header, mark) : mark;
      await putMark(connection, listed, durable, body, this.#times.exchangeMs);
      this.#counters.foreignMarks++;
      return true;
    } catch (error) {
      const { name, refusal } = error as Partial<UplinkError>;
      if (refusal) this.#counters.refused(refusal.code);
      else if (name === 'UplinkError' || name === 'HostError') throw error;
      this.#options.log.warn({ session, sequence, ...describeError(error) }, 'no mark for a former run');
      return false;
    }
  }
}
