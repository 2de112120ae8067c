import type { Clock } from '../../host/clock.ts';
import type { AgentLog } from '../log.ts';
import { describeError } from './errors.ts';
import { wayOut } from './remedies.ts';

/** What stands in the way at the moment, for the status. */
export interface FailureView {
  readonly code: string;
  readonly message: string;
  /** What a person can do about it. */
  readonly wayOut: string | undefined;
  /** Milliseconds since 1970, for display. */
  readonly since: number;
  /** How often in a row. */
  readonly times: number;
}

/** The failures of one task: counted, shown, and logged when they change. */
export class FailureTracker {
  readonly #what: string;
  readonly #clock: Clock;
  readonly #logger: AgentLog;
  #view: FailureView | undefined;
  #times = 0;

  constructor(what: string, clock: Clock, logger: AgentLog) {
    this.#what = what;
    this.#clock = clock;
    this.#logger = logger;
  }

  get view(): FailureView | undefined {
    return this.#view;
  }

  /** Failures in a row. */
  get times(): number {
    return this.#times;
  }

  /**
   * @param request that met it.
   * @returns the failure's code: a refusal's own, else that of what went wrong on the way.
   */
  note(error: unknown, request?: string): string {
    const { code, message } = describeError(error);
    const before = this.#view;
    this.#times += 1;
    const since = before?.code === code ? before.since : this.#clock.now();
    this.#view = { code, message, wayOut: wayOut(code), since, times: this.#times };
    if (before?.code !== code) {
      const help = wayOut(code);
      this.#logger.warn({ code, reason: message, request, wayOut: help }, this.#what);
    }
    return code;
  }

  over(): void {
    this.#view = undefined;
    this.#times = 0;
  }
}
