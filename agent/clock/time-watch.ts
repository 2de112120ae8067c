import type { Clock } from '../../host/clock.ts';

/** A change of the display time against running time that a session should not hide, ms. */
export const TOLERATED_MS = 5_000;

/** Notices when display time goes otherwise than time itself: a clock was set, or a better one was heard. */
export class TimeWatch {
  readonly #clock: Clock;
  #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** Whether it has jumped since the last jump told of, or drifted that far. */
  changed(): boolean {
    const offset = this.#clock.now() - this.#clock.monotonic();
    if (Math.abs(offset - this.#offset) <= TOLERATED_MS) return false;
    this.#offset = offset;
    return true;
  }
}
