import type { Clock } from '../../host/clock.ts';
import { Connection, type Dial } from '../client/connection.ts';
import { describeError } from '../client/errors.ts';
import type { AgentLog } from '../log.ts';
import type { StoredSegment } from '../spool/stored-segment.ts';
import type { Delivery } from './delivery.ts';
import { retryDelayMs, stallLimitMs } from './lane-rules.ts';
import { nameOf } from './marks.ts';
import type { SegmentUpload } from './segment-upload.ts';
import type { LaneStats, LaneTrouble, UplinkCounters } from './uplink-stats.ts';

export interface LaneOptions {
  readonly name: 'live' | 'backlog';
  readonly dial: Dial;
  /** What the Host field says on the next connection. */
  readonly authority: () => string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly delivery: Delivery;
  readonly counters: UplinkCounters;
  readonly log: Pick<AgentLog, 'debug'>;
  readonly windowBytes: number;
  readonly stallMs: number;
  /** The segment to take next. */
  readonly pick: () => StoredSegment | undefined;
  /** A segment that has begun at the server and not ended there: it ends there, before the lane connects anew. */
  readonly pickBegun: () => StoredSegment | undefined;
  /** Asked before each read of the upload. */
  readonly mayRead: () => boolean;
  /** When there is no segment to take: what else there is to do on the connection. */
  readonly onIdle: (connection: Connection) => Promise<void>;
  readonly onProgress: () => void;
  readonly onFailure: (
    lane: 'live' | 'backlog',
    failure: { code: string; message: string; request: string | undefined; delayMs: number },
  ) => void;
}

/** How long a lane may take to end what it has begun before it connects anew. */
const FINISH_MS = 30_000;

/** One connection and what goes over it: segment after segment, with a growing pause after failures. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #connection: Connection;
  #state: LaneStats['state'] = 'idle';
  #segment: StoredSegment | undefined;
  #upload: SegmentUpload | undefined;
  #failures = 0;
  #trouble: LaneTrouble | undefined;
  #stalls = 0;
  #dials = 0;
  #changed = Promise.withResolvers<void>();
  #dirty = false;
  /** Since when the connection is to be made anew, monotonic ms. */
  #outdatedAt: number | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
    const onDialled = () => {
      if (this.#dials++ > 0) options.counters.reconnects++;
    };
    this.#connection = new Connection(options.dial, options.authority, onDialled, options.log);
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => {
      this.#connection.end();
      this.changed();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        if (signal.aborted) break;
        await this.#pause(error, signal);
      }
    }
    this.#state = 'idle';
  }

  /** The queue has changed, or what `mayRead` answers. */
  changed(): void {
    this.#dirty = true;
    this.#changed.resolve();
    this.#upload?.changed();
  }

  /** The connection is to be made anew, between two segments. */
  reconnect(): void {
    this.#outdatedAt ??= this.#options.clock.monotonic();
    this.changed();
  }

  /** Whether it is still to end what it has begun over a connection that is to be made anew. */
  get finishes(): boolean {
    if (this.#outdatedAt === undefined || !this.#connection.connected) return false;
    return this.#options.clock.monotonic() - this.#outdatedAt < FINISH_MS;
  }

  /** The segment in this lane. */
  get segment(): StoredSegment | undefined {
    return this.#segment;
  }

  holds(segment: StoredSegment): boolean {
    return this.#segment !== undefined && nameOf(this.#segment) === nameOf(segment);
  }

  /** Age of the oldest record of this lane's upload that the server has not received, ms; 0 without one. */
  get unreceivedMs(): number {
    return this.#upload?.unreceivedMs ?? 0;
  }

  /** Leaves the segment where it is; false when there is no upload to leave. */
  leave(): boolean {
    return this.#upload?.leave() ?? false;
  }

  stats(): LaneStats {
    const progress = this.#upload?.progress ?? { sent: 0, received: 0, durable: 0 };
    const segment = this.#segment && { session: this.#segment.session.id, sequence: this.#segment.sequence };
    return {
      state: this.#state,
      connected: this.#connection.connected,
      segment,
      ...progress,
      trouble: this.#trouble,
    };
  }

  async #step(): Promise<void> {
    this.#dirty = false;
    const begun = this.finishes ? this.#options.pickBegun() : undefined;
    if (this.#outdatedAt !== undefined && begun === undefined) this.#connect();
    const segment = begun ?? this.#options.pick();
    if (segment) {
      await this.#deliver(segment);
      return;
    }
    this.#state = 'idle';
    await this.#options.onIdle(this.#connection);
    this.#failures = 0;
    this.#trouble = undefined;
    await this.#untilChanged();
  }

  /** From the next request on it is another connection. */
  #connect(): void {
    this.#outdatedAt = undefined;
    this.#connection.close();
    this.#options.onProgress();
  }

  async #deliver(segment: StoredSegment): Promise<void> {
    const { delivery, windowBytes, stallMs, mayRead, onProgress, counters } = this.#options;
    this.#state = 'sending';
    this.#segment = segment;
    try {
      await delivery.deliver(segment, {
        connection: this.#connection,
        windowBytes,
        stallMs: stallLimitMs(this.#stalls, stallMs),
        mayRead,
        onUpload: (upload) => {
          this.#upload = upload;
        },
        onProgress: (acknowledged) => {
          counters.acknowledgedBytes += acknowledged;
          if (acknowledged > 0) {
            this.#failures = this.#stalls = 0;
            this.#trouble = undefined;
          }
          onProgress();
        },
      });
    } finally {
      this.#segment = undefined;
      onProgress();
    }
  }

  /** Every failure costs the connection: what state it is in is not known any more. */
  async #pause(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random, counters, onFailure, name } = this.#options;
    this.#outdatedAt = undefined;
    const request = this.#connection.lastRequest;
    this.#connection.close();
    const failure = describeError(error);
    this.#failures++;
    this.#stalls = failure.code === 'STALLED' ? this.#stalls + 1 : 0;
    counters.retries++;
    counters.lastError = failure;
    this.#trouble = { ...failure, since: this.#trouble?.since ?? clock.now() };
    const delayMs = retryDelayMs(this.#failures, random());
    onFailure(name, { ...failure, request, delayMs: Math.round(delayMs) });
    this.#state = 'waiting';
    await clock.sleep(delayMs, signal).catch(() => undefined);
  }

  async #untilChanged(): Promise<void> {
    if (!this.#dirty) await this.#changed.promise;
    this.#changed = Promise.withResolvers();
  }
}
