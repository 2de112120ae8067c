import { gapUs } from '../../media/gap.ts';

/** What a camera remembers of its gaps from life to life. */
export interface KeptGaps {
  /** The sum of them, µs. */
  readonly gapUs: number;
  /** The end of the newest footage, milliseconds since 1970 by the camera's clock. */
  readonly endsAtMs: number;
}

interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Of the last minutes, for whether a camera does what it is for. */
export const RECENT_MS = 300_000;
/** A camera's source takes some seconds to come on or back: that is no gap until it has, or it takes longer. */
const OPEN_MS = 3_000;

/**
 * The time that no footage covers, by the same count as an opener's: from the end of one segment to the start of the
 * next. Whatever caused it is in it: a source that is silent, starts again or was refused, a wait for a keyframe, a
 * camera that was off. Times are monotonic milliseconds unless said otherwise.
 */
export class FootageGaps {
  readonly #former: KeptGaps | undefined;
  readonly #beganMs: number;
  #gapUs: number;
  #recent: Gap[] = [];
  #endMs: number | undefined;
  /** From monotonic time to the camera's clock, in the newest segment. */
  #toClockMs = 0;
  #over = false;

  /** @param former what the camera's life before left. @param beganMs when this one begins to record. */
  constructor(former: KeptGaps | undefined, beganMs: number) {
    this.#former = former;
    this.#beganMs = beganMs;
    this.#gapUs = former?.gapUs ?? 0;
  }

  /** A segment begins. @param timeMs what its header says, milliseconds since 1970. */
  begin(filmedMs: number, timeMs: number): void {
    if (this.#endMs !== undefined) this.#note(this.#endMs, filmedMs);
    else this.#noteStart(filmedMs, timeMs);
    this.#toClockMs = timeMs - filmedMs;
    this.extend(filmedMs);
  }

  /** Footage goes on to here. */
  extend(filmedMs: number): void {
    this.#endMs = Math.max(this.#endMs ?? filmedMs, filmedMs);
  }

  /** Nothing is to be filmed any more. */
  end(): void {
    this.#over = true;
  }

  /** µs by now, with what goes on. */
  totalUs(nowMs: number): number {
    const open = this.#openGap(nowMs);
    return this.#gapUs + (open === undefined ? 0 : (open.toMs - open.fromMs) * 1000);
  }

  /** What of the last minutes is in gaps, milliseconds; the time before a camera's first footage too. */
  recentMs(nowMs: number): number {
    const fromMs = nowMs - RECENT_MS;
    const open = this.#openGap(nowMs);
    return [...this.#recent, ...(open ? [open] : [])].reduce(
      (sum, gap) => sum + Math.max(0, gap.toMs - Math.max(gap.fromMs, fromMs)),
      0,
    );
  }

  /** What the next life has to know; undefined before there is any footage. */
  get kept(): KeptGaps | undefined {
    if (this.#endMs === undefined) return this.#former;
    return {
      gapUs: Math.round(this.#gapUs),
      endsAtMs: Math.max(0, Math.round(this.#endMs + this.#toClockMs)),
    };
  }

  #openGap(nowMs: number): Gap | undefined {
    const fromMs = this.#endMs ?? this.#beganMs;
    return this.#over || nowMs - fromMs < OPEN_MS ? undefined : { fromMs, toMs: nowMs };
  }

  /** What lies before a life's first footage is a gap where there was footage before. */
  #noteStart(filmedMs: number, timeMs: number): void {
    if (this.#former !== undefined) this.#gapUs += gapUs(this.#former.endsAtMs * 1000, timeMs * 1000);
    if (filmedMs - this.#beganMs >= OPEN_MS) this.#remember({ fromMs: this.#beganMs, toMs: filmedMs });
  }

  #note(fromMs: number, toMs: number): void {
    const between = gapUs(fromMs * 1000, toMs * 1000);
    this.#gapUs += between;
    if (between > 0) this.#remember({ fromMs, toMs });
  }

  #remember(gap: Gap): void {
    this.#recent = [...this.#recent.filter(({ toMs }) => toMs > gap.toMs - RECENT_MS), gap];
  }
}
