import type { Log } from './log.ts';

/** While the disk goes on failing, a line as often as this, ms: every camera tries again and again. */
const AGAIN_MS = 60_000;

/** Says that the disk fails, that it still does, and that it works again. */
export class StorageLog {
  readonly #log: Log;
  readonly #monotonic: () => number;
  #saidAt: number | undefined;
  #failures = 0;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(log: Log, monotonic: () => number) {
    this.#log = log;
    this.#monotonic = monotonic;
  }

  failed(fields: object): void {
    this.#failures += 1;
    const now = this.#monotonic();
    if (this.#saidAt !== undefined && now - this.#saidAt < AGAIN_MS) return;
    this.#saidAt = now;
    this.#log.error({ ...fields, failures: this.#failures }, 'storage failed');
  }

  /** Footage was stored. */
  worked(): void {
    if (this.#saidAt === undefined) return;
    this.#log.warn({ failures: this.#failures }, 'storage works again');
    this.#saidAt = undefined;
    this.#failures = 0;
  }
}
