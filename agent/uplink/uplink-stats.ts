import type { RefusalCode } from '../../wire/refusal.ts';

/** When bytes were appended, for those that the server has not received. */
interface Appended {
  readonly end: number;
  readonly at: number;
}

/** More are not told apart: later bytes then count as old as those before them. */
const MAX_ENTRIES = 64;

/** How far a lane is behind its segment in time, not bytes. */
export class UnreceivedAges {
  readonly #entries: Appended[];
  #end: number;

  /**
   * @param end of the segment at the start.
   * @param at when its oldest byte was appended, monotonic ms.
   */
  constructor(end: number, at: number) {
    this.#entries = [{ end, at }];
    this.#end = end;
  }

  appended(end: number, at: number): void {
    if (end <= this.#end) return;
    this.#end = end;
    const last = this.#entries.at(-1);
    if (last && this.#entries.length === MAX_ENTRIES) this.#entries[MAX_ENTRIES - 1] = { end, at: last.at };
    else this.#entries.push({ end, at });
  }

  received(length: number): void {
    let count = 0;
    while ((this.#entries[count]?.end ?? Number.POSITIVE_INFINITY) <= length) count++;
    if (count > 0) this.#entries.splice(0, count);
  }

  /** Milliseconds; 0 when everything was received. */
  oldestMs(now: number): number {
    const oldest = this.#entries[0];
    return oldest ? now - oldest.at : 0;
  }
}

export interface LaneStats {
  /** `idle`: nothing to send. `sending`: at a segment. `waiting`: for the next try after a failure. */
  readonly state: 'idle' | 'sending' | 'waiting';
  readonly connected: boolean;
  readonly segment: { readonly session: string; readonly sequence: number } | undefined;
  /** Of that segment, bytes from its start. */
  readonly sent: number;
  readonly received: number;
  readonly durable: number;
  /** Why it gets nowhere at the moment. */
  readonly trouble: LaneTrouble | undefined;
}

export interface LaneTrouble {
  readonly code: string;
  readonly message: string;
  /** Of the first failure since something was acknowledged last, ms since 1970, for display. */
  readonly since: number;
}

export interface UplinkStats {
  readonly connected: boolean;
  readonly state: 'stopped' | 'running' | 'draining';
  readonly lanes: { readonly live: LaneStats; readonly backlog: LaneStats };
  /** Bytes that the server made durable for this process. */
  readonly acknowledgedBytes: number;
  /** Failures after which a lane tried again. */
  readonly retries: number;
  /** Connections made after each lane's first. */
  readonly reconnects: number;
  /** Times that live left a segment to the backlog. */
  readonly jumps: number;
  /** Times that the server turned out to have lost what it had said was durable. */
  readonly serverLost: number;
  /** Times that a segment was set aside, to be offered again later: refused, or not what the server says it is. */
  readonly parked: number;
  /** Marks put on segments of former runs. */
  readonly foreignMarks: number;
  readonly refusals: Readonly<Partial<Record<RefusalCode, number>>>;
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
}

/** What both lanes count into. */
export class UplinkCounters {
  acknowledgedBytes = 0;
  retries = 0;
  reconnects = 0;
  jumps = 0;
  serverLost = 0;
  parked = 0;
  foreignMarks = 0;
  readonly refusals: Partial<Record<RefusalCode, number>> = {};
  lastError: UplinkStats['lastError'];

  refused(code: RefusalCode): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
  }
}
