import type { AgentLog } from '../log.ts';

/** So many lines are written in a window, ms; more are counted. */
const WINDOW_LINES = 60;
const WINDOW_MS = 60_000;

/** Lines about requests, whose number is the server's to choose: it must not fill the camera's log. */
export class RequestLog {
  readonly #logger: Pick<AgentLog, 'info' | 'warn'>;
  readonly #monotonic: () => number;
  #since = Number.NEGATIVE_INFINITY;
  #lines = 0;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(logger: Pick<AgentLog, 'info' | 'warn'>, monotonic: () => number) {
    this.#logger = logger;
    this.#monotonic = monotonic;
  }

  info(fields: object, message: string): void {
    if (this.#take()) this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.#take()) this.#logger.warn(fields, message);
  }

  #take(): boolean {
    const now = this.#monotonic();
    if (now - this.#since >= WINDOW_MS) {
      const count = this.#lines - WINDOW_LINES;
      if (count > 0) this.#logger.warn({ count }, 'more was said of requests');
      this.#since = now;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= WINDOW_LINES;
  }
}
