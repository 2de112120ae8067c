import type { Clock } from '../../host/clock.ts';
import type { Connection, Dial } from '../client/connection.ts';
import type { StoredSegment, UploadQueue } from '../spool/stored-segment.ts';
import { Delivery, type DeliveryTimes, type UplinkLog } from './delivery.ts';
import { Lane, type LaneOptions } from './lane.ts';
import { backlogYields, isBegun, liveJumps, pickBacklog, pickLive } from './lane-rules.ts';
import { OrphanedSegments } from './orphaned-segments.ts';
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
  parkMs: 3_600_000,
  asideMs: 60_000,
  behindMs: 2_000,
  // What the server has received is known half a second later than it came, at worst.
  yieldMs: 1_500,
};

export interface UplinkOptions {
  readonly queue: UploadQueue;
  /** The pinned dialer; it has to give up by itself. */
  readonly dial: Dial;
  /** Host and port as the Host field has them on the next connection. */
  readonly authority: () => string;
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: UplinkLog;
  /** The signed mark of a cut or dropped segment. */
  readonly makeMark: (segment: StoredSegment, at: number) => Uint8Array | Promise<Uint8Array>;
  /** The signed mark of a segment that is unknown here but for its header. @throws for another camera's. */
  readonly makeForeignMark: (header: Uint8Array, at: number) => Uint8Array | Promise<Uint8Array>;
  readonly times?: Partial<UplinkTimes>;
  /** Segments of former runs that are looked at, at most. */
  readonly formerSegments?: number;
}

/** Bytes on their way in a lane: enough for 5 × 10 Mbit/s at 160 ms, and little to wait for behind it. */
const WINDOW_BYTES = 1024 * 1024;
/** A run leaves two at most, when it is killed. */
const FORMER_SEGMENTS = 1000;
/** How often, in the time for which a segment is set aside at least, the lanes look whether it is over. */
const WAKINGS_ASIDE = 4;

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
  readonly #formerRuns: OrphanedSegments;
  readonly #live: Lane;
  readonly #backlog: Lane;
  readonly #stopping = new AbortController();
  #state: UplinkStats['state'] = 'stopped';
  #running: Promise<unknown> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;
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
    this.#formerRuns = new OrphanedSegments({
      queue,
      log,
      counters: this.#counters,
      sessions: this.#sessions,
      makeMark: options.makeForeignMark,
      exchangeMs: this.#times.exchangeMs,
      maxSegments: options.formerSegments ?? FORMER_SEGMENTS,
    });
    const taken = (other: () => Lane) => (segment: StoredSegment) =>
      other().holds(segment) || this.#delivery.isParked(segment) || (other().finishes && isBegun(segment));
    const pickBegun = (other: () => Lane) => () =>
      queue
        .segments()
        .find((segment) => isBegun(segment) && !other().holds(segment) && !this.#delivery.isParked(segment));
    this.#live = this.#lane('live', {
      pick: () =>
        pickLive(
          queue.segments(),
          taken(() => this.#backlog),
        ),
      pickBegun: pickBegun(() => this.#backlog),
      mayRead: () => true,
      onIdle: async () => undefined,
    });
    this.#backlog = this.#lane('backlog', {
      pick: () =>
        pickBacklog(
          queue.segments(),
          taken(() => this.#live),
          (segment) => this.#delivery.wasParked(segment),
        ),
      pickBegun: pickBegun(() => this.#live),
      mayRead: () => !backlogYields(this.#live.unreceivedMs, this.#times.yieldMs),
      onIdle: (connection) => this.#onBacklogIdle(connection),
    });
  }

  start(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#unsubscribe = this.#options.queue.subscribe(() => this.#changed());
    const { signal } = this.#stopping;
    this.#running = Promise.all([
      this.#live.run(signal),
      this.#backlog.run(signal),
      this.#offerAgain(signal),
    ]);
  }

  /** Uploads what is there until it is all durable or set aside, or `drainMs` are over; then ends for good. */
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

  /**
   * Uses new connections from the next segments on: the client certificate is another, or the server. What has begun
   * ends where it began, as long as that connection holds.
   */
  reconnect(): void {
    this.#live.reconnect();
    this.#backlog.reconnect();
  }

  /** Whether the server has this session's header. @param session its id, 32 hex digits. */
  knowsSession(session: string): boolean {
    return this.#sessions.isKnown(session);
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

  #lane(
    name: 'live' | 'backlog',
    behaviour: Pick<LaneOptions, 'pick' | 'pickBegun' | 'mayRead' | 'onIdle'>,
  ): Lane {
    const { dial, authority, clock, random, log } = this.#options;
    return new Lane({
      name,
      dial,
      authority,
      clock,
      random,
      delivery: this.#delivery,
      counters: this.#counters,
      log,
      windowBytes: WINDOW_BYTES,
      stallMs: this.#times.stallMs,
      ...behaviour,
      onProgress: () => this.#progressed(name),
      onFailure: (lane, failure) => log.warn({ lane, ...failure }, 'upload failed, trying again'),
    });
  }

  #changed(): void {
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
    if (!current || !newest || this.#live.finishes) return;
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
      .some(
        (segment) =>
          !this.#delivery.isParked(segment) && (segment.state !== 'open' || segment.base < segment.end),
      );
    if (!open) this.#drained.resolve();
  }

  async #onBacklogIdle(connection: Connection): Promise<void> {
    await this.#formerRuns.end(connection);
    if (connection.connected) connection.close();
  }

  /** Wakes the lanes now and then while there is something set aside. */
  async #offerAgain(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(this.#times.asideMs / WAKINGS_ASIDE, signal).catch(() => undefined);
      if (!this.#delivery.hasParked()) continue;
      this.#live.changed();
      this.#backlog.changed();
    }
  }
}
