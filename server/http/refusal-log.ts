import type { Log } from '../log.ts';
import { AddressThrottle, type ThrottleRules } from './throttles.ts';

export interface RefusalLogRules extends ThrottleRules {
  /** How long the lines left out are counted before there is one for them all, ms. */
  readonly summaryMs: number;
}

export const REFUSAL_LOG_RULES: RefusalLogRules = {
  perAddress: { burst: 10, refillMs: 60_000 },
  inAll: { burst: 100, refillMs: 3_000 },
  summaryMs: 60_000,
};

/**
 * Lines about whoever was refused, whose number is theirs to choose: some of an address and some in all are written,
 * the others counted.
 */
export class RefusalLog {
  readonly #log: Log;
  readonly #throttle: AddressThrottle;
  readonly #summaryMs: number;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(log: Log, monotonic: () => number, rules = REFUSAL_LOG_RULES) {
    this.#log = log;
    this.#throttle = new AddressThrottle(monotonic, rules);
    this.#summaryMs = rules.summaryMs;
  }

  /** @param whose an address or a camera, whose lines are bounded together. */
  say(whose: string | undefined, fields: object, message: string): void {
    if (this.#throttle.take(whose) === 0) {
      this.#log.info(fields, message);
      return;
    }
    this.#leftOut += 1;
    this.#timer ??= setTimeout(() => this.close(), this.#summaryMs).unref();
  }

  /** Writes what was counted last. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#leftOut > 0) this.#log.info({ count: this.#leftOut }, 'more were refused');
    this.#leftOut = 0;
  }
}
