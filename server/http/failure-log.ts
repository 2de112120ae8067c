import type { Log } from '../log.ts';

/** While it goes on failing, a line as often as this, ms: what fails is tried again and again. */
const AGAIN_MS = 60_000;

/** Says of one thing that it fails, that it still does, and that it works again. */
export class FailureLog {
  readonly #what: string;
  readonly #log: Log;
  readonly #monotonic: () => number;
  #saidAt: number | undefined;
  #failures = 0;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(what: string, log: Log, monotonic: () => number) {
    this.#what = what;
    this.#log = log;
    this.#monotonic = monotonic;
  }

  failed(fields: object): void {
    this.#failures += 1;
    const now = this.#monotonic();
    if (this.#saidAt !== undefined && now - this.#saidAt < AGAIN_MS) return;
    this.#saidAt = now;
    this.#log.error({ ...fields, failures: this.#failures }, `${this.#what} failed`);
  }

  /** It did what it should. */
  worked(): void {
    if (this.#saidAt === undefined) return;
    this.#log.warn({ failures: this.#failures }, `${this.#what} works again`);
    this.#saidAt = undefined;
    this.#failures = 0;
  }
}
