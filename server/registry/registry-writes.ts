import { setTimeout as sleep } from 'node:timers/promises';
import { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isBusy } from './database.ts';
import type { Registry } from './registry.ts';
import { openRegistry } from './registry-origin.ts';

/**
 * What a running server writes into its registry while another process may hold it: a command, a backup, a stranger's
 * `BEGIN IMMEDIATE`. Nothing waits within a call; what cannot be written now is tried again, in order.
 */

/** How long a camera's request waits for the registry before it is refused and comes again, ms. */
export const ANSWER_WAIT_MS = 700;
/** How often a write is tried again, ms. */
const AGAIN_MS = 25;
/** Writes that may wait. */
const MAX_WAITING = 1_000;
/** How long a server that stops waits for what is still to be written, ms. */
const SETTLE_MS = 1_000;
/** How long a server that starts waits for its registry, ms. */
const START_WAIT_MS = 30_000;

interface Waiting {
  readonly untilMs: number;
  /** False while the registry is busy. */
  attempt(): Promise<boolean>;
  giveUp(error: ServerError): void;
}

export class RegistryWrites {
  readonly #monotonic: () => number;
  readonly #maxWaiting: number;
  #waiting: Waiting[] = [];
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(monotonic: () => number, maxWaiting = MAX_WAITING) {
    this.#monotonic = monotonic;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Writes now, or after what waits already. Resolves once it is written.
   * @param work one transaction; called again while the registry is busy.
   * @throws ServerError REGISTRY_BUSY after `waitMs`, with nothing written; whatever `work` throws.
   */
  write<T>(work: () => Promise<T>, waitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= this.#maxWaiting) {
        reject(new ServerError('REGISTRY_BUSY', 'too much waits for the registry'));
        return;
      }
      const attempt = async () => {
        try {
          resolve(await work());
        } catch (error) {
          if (isBusy(error)) return false;
          reject(error);
        }
        return true;
      };
      this.#waiting.push({ untilMs: this.#monotonic() + waitMs, attempt, giveUp: reject });
      if (!this.#isDraining && this.#timer === undefined) void this.#drain();
    });
  }

  /** Resolves when nothing waits any more, after a second at most: what is left then is given up. */
  async settle(): Promise<void> {
    const untilMs = this.#monotonic() + SETTLE_MS;
    while (this.#waiting.length > 0 && this.#monotonic() < untilMs) await sleep(AGAIN_MS);
    this.#expire(Number.POSITIVE_INFINITY);
    clearTimeout(this.#timer);
  }

  async #drain(): Promise<void> {
    this.#timer = undefined;
    this.#isDraining = true;
    for (let next = this.#waiting[0]; next !== undefined && (await next.attempt()); [next] = this.#waiting) {
      this.#waiting = this.#waiting.filter((each) => each !== next);
    }
    this.#isDraining = false;
    this.#expire(this.#monotonic());
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#drain(), AGAIN_MS);
  }

  #expire(nowMs: number): void {
    const isOver = ({ untilMs }: Waiting) => untilMs <= nowMs;
    for (const { giveUp } of this.#waiting.filter(isOver)) {
      giveUp(new ServerError('REGISTRY_BUSY', 'another process holds the registry'));
    }
    this.#waiting = this.#waiting.filter((each) => !isOver(each));
  }
}

/** Opens the registry of a server that starts. @throws as openRegistry; ServerError REGISTRY_BUSY after half a minute. */
export async function openWithPatience(directory: string, log: Log): Promise<Registry> {
  for (let waitedMs = 0; ; waitedMs += AGAIN_MS) {
    try {
      return await openRegistry(directory);
    } catch (error) {
      if (!isBusy(error) || waitedMs >= START_WAIT_MS) throw error;
      if (waitedMs === 0) log.warn({ err: error }, 'waiting for the registry');
      await sleep(AGAIN_MS);
    }
  }
}
