import { concat } from '../../crypto/bytes.ts';
import type { Clock } from '../../host/clock.ts';
import type { Refusal, RefusalCode } from '../../wire/refusal.ts';
import type { StoredSegment, UploadQueue } from '../spool/stored-segment.ts';
import type { Connection } from './connection.ts';
import type { UplinkError } from './errors.ts';
import { putMark, segmentStatus } from './marks.ts';
import { afterRefusal, judgeOffset } from './refusal-policy.ts';
import { SegmentUpload, type UploadTimes } from './segment-upload.ts';
import type { SessionAnnouncer } from './session-announcer.ts';
import type { UplinkCounters } from './uplink-stats.ts';

export interface UplinkLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface DeliveryTimes extends UploadTimes {
  /** One small request and its answer, ms. */
  readonly exchangeMs: number;
}

export interface DeliveryOptions {
  readonly queue: UploadQueue;
  readonly clock: Clock;
  readonly log: UplinkLog;
  readonly counters: UplinkCounters;
  readonly sessions: SessionAnnouncer;
  /** The signed mark that ends a cut or dropped segment (crypto/mark.ts). */
  readonly makeMark: (segment: StoredSegment) => Uint8Array | Promise<Uint8Array>;
  readonly times: DeliveryTimes;
}

export interface LaneView {
  readonly connection: Connection;
  readonly windowBytes: number;
  readonly stallMs: number;
  readonly mayRead: () => boolean;
  /** An upload has begun (and tells the lane how to reach it) or is over. */
  readonly onUpload: (upload: SegmentUpload | undefined) => void;
  readonly onProgress: (acknowledged: number) => void;
}

type AbandonReason = RefusalCode | 'SERVER_LOST' | 'SERVER_AHEAD' | 'SERVER_UNENDED';

/** One name for each segment, whichever object stands for it. */
export const nameOf = (segment: StoredSegment) => `${segment.session.id}/${segment.sequence}`;

/** Brings segments to the server, whatever state they are in and whatever the server says. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #refusals = new Map<string, number>();
  readonly #abandoned = new Set<string>();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  isAbandoned(segment: StoredSegment): boolean {
    return this.#abandoned.has(nameOf(segment));
  }

  /**
   * Does for `segment` what there is to do: session header, records, mark. Comes back when the server has its
   * end, when it was left, or given up.
   * @throws UplinkError, HostError: to be tried again later.
   */
  async deliver(segment: StoredSegment, lane: LaneView): Promise<void> {
    try {
      await this.#options.sessions.announce(lane.connection, segment.session);
      await this.#advance(segment, lane);
      this.#refusals.delete(nameOf(segment));
    } catch (error) {
      const { refusal } = error as Partial<UplinkError>;
      if (!refusal || this.#answer(segment, refusal) === 'retry') throw error;
    }
  }

  /** Forgets given-up segments that no longer grow. */
  sweep(): void {
    if (this.#abandoned.size === 0) return;
    for (const segment of this.#options.queue.segments()) {
      if (segment.state !== 'open' && this.#abandoned.delete(nameOf(segment))) {
        this.#options.queue.settle(segment);
      }
    }
  }

  async #advance(segment: StoredSegment, lane: LaneView): Promise<void> {
    if (segment.state !== 'dropped' && segment.base < segment.end) await this.#upload(segment, lane);
    const current = this.find(segment);
    if (!current || current.state === 'open' || this.isAbandoned(current)) return;
    if (current.base < current.end && current.state !== 'dropped') return;
    await this.#conclude(current, lane);
  }

  /** The queue's view of a segment; undefined once it is gone. */
  find(segment: StoredSegment): StoredSegment | undefined {
    const { session, sequence } = segment;
    return this.#options.queue
      .segments()
      .findLast((one) => one.sequence === sequence && one.session.id === session.id);
  }

  async #upload(segment: StoredSegment, lane: LaneView): Promise<void> {
    const { queue, clock, times } = this.#options;
    const upload = new SegmentUpload(segment, {
      connection: lane.connection,
      queue,
      clock,
      times: { ...times, stallMs: lane.stallMs },
      windowBytes: lane.windowBytes,
      find: () => this.find(segment),
      mayRead: lane.mayRead,
      onProgress: lane.onProgress,
    });
    lane.onUpload(upload);
    try {
      await upload.done;
    } finally {
      lane.onUpload(undefined);
    }
  }

  /** Everything is durable, but the server has not said that the segment has ended. */
  async #conclude(segment: StoredSegment, lane: LaneView): Promise<void> {
    const { queue, makeMark, times } = this.#options;
    const name = { session: segment.session.id, sequence: segment.sequence };
    const { durable, ended } = await segmentStatus(lane.connection, name, times.exchangeMs);
    if (ended) {
      this.#settle(segment);
      return;
    }
    if (!this.#accept(segment, durable)) return;
    if (segment.state === 'ended') {
      this.#abandon(segment, 'SERVER_UNENDED', 'the server holds all of it but not as ended');
      return;
    }
    const mark = await makeMark(segment);
    const body = durable === 0 ? concat(segment.header, mark) : mark;
    await putMark(lane.connection, name, durable, body, times.exchangeMs);
    lane.onProgress(body.length);
    queue.settle(segment);
  }

  /** The server has the segment's end. One closed here is there whole: what it holds is acknowledged, not lost. */
  #settle(segment: StoredSegment): void {
    const { queue } = this.#options;
    if (segment.state === 'ended') queue.acknowledge(segment, segment.end);
    queue.settle(segment);
  }

  /** Acts on a refusal; says whether the lane has to wait before it goes on. */
  #answer(segment: StoredSegment, refusal: Refusal): 'go on' | 'retry' {
    const { sessions, counters } = this.#options;
    const name = nameOf(segment);
    const count = (this.#refusals.get(name) ?? 0) + 1;
    this.#refusals.set(name, count);
    counters.refused(refusal.code);
    switch (afterRefusal(refusal.code, count)) {
      case 'settle':
        this.#refusals.delete(name);
        this.#settle(segment);
        return 'go on';
      case 'announce':
        sessions.forget(segment.session);
        return 'go on';
      case 'abandon':
        this.#abandon(segment, refusal.code, refusal.message);
        return 'go on';
      case 'resume':
        if (refusal.offset === undefined || refusal.offset === segment.base) return 'retry';
        this.#accept(segment, refusal.offset);
        return 'go on';
      case 'retry':
        return 'retry';
    }
  }

  /** Takes the server's word for where the segment ends there; false when the segment had to be given up. */
  #accept(segment: StoredSegment, offset: number): boolean {
    const { queue, counters } = this.#options;
    switch (judgeOffset(segment, offset)) {
      case 'resume':
        counters.acknowledgedBytes += Math.max(0, offset - segment.base);
        queue.acknowledge(segment, offset);
        return true;
      case 'lost':
        counters.serverLost++;
        return this.#mourn(segment, `the server holds ${offset} bytes, it had confirmed ${segment.base}`);
      case 'impossible':
        this.#abandon(segment, 'SERVER_AHEAD', `the server holds ${offset} bytes, only ${segment.end} exist`);
        return false;
    }
  }

  /** Where only the mark is left it still goes out, and by what it vouches for the loss is seen; else it is over. */
  #mourn(segment: StoredSegment, why: string): boolean {
    if (segment.state !== 'dropped' && (segment.state !== 'cut' || segment.base < segment.end)) {
      this.#abandon(segment, 'SERVER_LOST', why);
      return false;
    }
    const { id } = segment.session;
    this.#options.log.error({ session: id, sequence: segment.sequence, code: 'SERVER_LOST' }, why);
    return true;
  }

  #abandon(segment: StoredSegment, code: AbandonReason, why: string): void {
    const { counters, log } = this.#options;
    counters.abandoned++;
    log.error(
      { session: segment.session.id, sequence: segment.sequence, code, bytes: segment.end - segment.base },
      `segment given up: ${why}`,
    );
    this.#refusals.delete(nameOf(segment));
    this.#abandoned.add(nameOf(segment));
    this.sweep();
  }
}
