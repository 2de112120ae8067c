import type { Clock } from '../../host/clock.ts';
import type { RefusalCode } from '../../wire/refusal.ts';
import type { Connection } from '../client/connection.ts';
import type { ClientError } from '../client/errors.ts';
import type { AgentLog } from '../log.ts';
import type { StoredSegment, UploadQueue } from '../spool/stored-segment.ts';
import { markBody, putMark, segmentStatus } from './marks.ts';
import { Quarantine } from './quarantine.ts';
import { afterRefusal, endsWithAllOf, judgeOffset } from './refusal-rules.ts';
import { SegmentUpload, type UploadTimes } from './segment-upload.ts';
import type { SessionAnnouncer } from './session-announcer.ts';
import type { UplinkCounters } from './uplink-stats.ts';

export type UplinkLog = AgentLog;

export interface DeliveryTimes extends UploadTimes {
  /** One small request and its answer, ms. */
  readonly exchangeMs: number;
  /** For how long a segment that the server does not take is set aside, ms. */
  readonly parkMs: number;
  /** For how long one is set aside that may go through at the next try, ms. */
  readonly asideMs: number;
}

export interface DeliveryOptions {
  readonly queue: UploadQueue;
  readonly clock: Clock;
  readonly log: UplinkLog;
  readonly counters: UplinkCounters;
  readonly sessions: SessionAnnouncer;
  /** The signed mark that ends a cut or dropped segment, for the byte at which it will stand (crypto/mark.ts). */
  readonly makeMark: (segment: StoredSegment, at: number) => Uint8Array | Promise<Uint8Array>;
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

type ParkReason = RefusalCode | 'SERVER_LOST' | 'SERVER_AHEAD' | 'SERVER_ENDED' | 'SERVER_UNENDED';

/** Brings segments to the server, whatever state they are in and whatever the server says. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #parking: Quarantine;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#parking = new Quarantine(options.clock);
  }

  /** Whether it is set aside for now. */
  isParked(segment: StoredSegment): boolean {
    return this.#parking.isParked(segment);
  }

  /** Whether it was set aside before. */
  wasParked(segment: StoredSegment): boolean {
    return this.#parking.wasParked(segment);
  }

  /** Whether there are segments whose time aside may be over by now. */
  hasParked(): boolean {
    return this.#parking.retain(this.#options.queue.segments());
  }

  /**
   * Does for `segment` what there is to do: session header, records, mark. Comes back when the server has its
   * end, when it was left, or set aside.
   * @throws ClientError, HostError: to be tried again later.
   */
  async deliver(segment: StoredSegment, lane: LaneView): Promise<void> {
    try {
      await this.#options.sessions.announce(lane.connection, segment.session);
      await this.#advance(segment, lane);
      this.#parking.forgetRefusals(segment);
    } catch (error) {
      if ((await this.#answer(segment, error as Partial<ClientError>, lane)) === 'wait') throw error;
    }
  }

  async #advance(segment: StoredSegment, lane: LaneView): Promise<void> {
    if (segment.state !== 'dropped' && segment.base < segment.end) await this.#upload(segment, lane);
    const current = this.find(segment);
    if (!current || current.state === 'open' || this.isParked(current)) return;
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
      this.#takeEnd(segment, durable);
      return;
    }
    if (!this.#accept(segment, durable)) return;
    if (segment.state === 'ended') {
      this.#park(segment, 'SERVER_UNENDED', 'the server holds all of it but not as ended');
      return;
    }
    const body = await markBody(segment.header, durable, (at) => makeMark(segment, at));
    await putMark(lane.connection, name, durable, body, times.exchangeMs);
    lane.onProgress(body.length);
    queue.settle(segment);
  }

  /** The server says that the segment has ended, at byte `durable`: only where that is all of it, it is let go. */
  #takeEnd(segment: StoredSegment, durable: number): void {
    const { queue, counters } = this.#options;
    if (!endsWithAllOf(segment, durable)) {
      if (durable < segment.base) counters.serverLost++;
      const here = segment.state === 'open' ? 'it still grows here' : `${segment.end} bytes are here`;
      this.#park(segment, 'SERVER_ENDED', `the server says it has ended at byte ${durable}, ${here}`);
      return;
    }
    if (segment.state !== 'dropped') {
      counters.acknowledgedBytes += segment.end - segment.base;
      queue.acknowledge(segment, segment.end);
    }
    queue.settle(segment);
  }

  /** Acts on a failure that may be this segment's own; says whether the lane has to wait before it goes on. */
  async #answer(
    segment: StoredSegment,
    { refusal, code, message = '' }: Partial<ClientError>,
    lane: LaneView,
  ): Promise<'go on' | 'wait'> {
    const { sessions, counters, times } = this.#options;
    const reason = refusal?.code ?? (code === 'PROTOCOL_VIOLATED' ? code : undefined);
    if (reason === undefined) return 'wait';
    const count = this.#parking.countRefusal(segment);
    if (refusal) counters.refused(refusal.code);
    switch (afterRefusal(reason, count, this.#parking.isSuspect(segment))) {
      case 'confirm': {
        const where = { session: segment.session.id, sequence: segment.sequence };
        const { durable, ended } = await segmentStatus(lane.connection, where, times.exchangeMs);
        if (!ended) return 'wait';
        this.#takeEnd(this.find(segment) ?? segment, durable);
        return 'go on';
      }
      case 'announce':
        sessions.forget(lane.connection, segment.session);
        return 'go on';
      case 'resume':
        if (refusal?.offset === undefined || refusal.offset === segment.base) return 'wait';
        this.#accept(segment, refusal.offset);
        return 'go on';
      case 'park':
        this.#park(segment, reason as RefusalCode, message);
        return 'go on';
      case 'aside':
        this.#setAside(segment, times.asideMs);
        return 'wait';
      case 'retry':
        return 'wait';
    }
  }

  /** Takes the server's word for where the segment ends there; false when the segment had to be set aside. */
  #accept(segment: StoredSegment, offset: number): boolean {
    const { queue, counters } = this.#options;
    switch (judgeOffset(segment, offset)) {
      case 'resume':
        counters.acknowledgedBytes += Math.max(0, offset - segment.base);
        queue.acknowledge(segment, offset);
        return true;
      case 'lost':
        counters.serverLost++;
        return this.#reportServerLoss(
          segment,
          `the server holds ${offset} bytes, it had confirmed ${segment.base}`,
        );
      case 'impossible':
        this.#park(segment, 'SERVER_AHEAD', `the server holds ${offset} bytes, only ${segment.end} exist`);
        return false;
    }
  }

  /** Where only the mark is left it still goes out, and by what it vouches for the loss is seen. */
  #reportServerLoss(segment: StoredSegment, why: string): boolean {
    if (segment.state !== 'dropped' && (segment.state !== 'cut' || segment.base < segment.end)) {
      this.#park(segment, 'SERVER_LOST', why);
      return false;
    }
    const { id } = segment.session;
    this.#options.log.error({ session: id, sequence: segment.sequence, code: 'SERVER_LOST' }, why);
    return true;
  }

  /** Keeps what the server does not take. Should room run short, the spool drops it and a mark says so. */
  #park(segment: StoredSegment, code: ParkReason, why: string): void {
    const { log, times } = this.#options;
    const { session, sequence, base, end } = segment;
    log.error(
      { session: session.id, sequence, code, bytes: end - base, retryMs: times.parkMs },
      `segment set aside: ${why}`,
    );
    this.#setAside(segment, times.parkMs);
  }

  #setAside(segment: StoredSegment, ms: number): void {
    this.#options.counters.parked++;
    this.#parking.park(segment, ms);
  }
}
