import { type Clock, systemClock } from '../../host/clock.ts';

/** Sleeps of up to a minute are slept in real time. */
const LONG_MS = 60_000;

/** Real time, and what a test skips of it: who sleeps long, and until then, awakes. */
export class SkippedClock implements Clock {
  #aheadMs = 0;
  readonly #sleepers = new Set<{ readonly untilMs: number; awake(): void }>();

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#aheadMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const early = new AbortController();
    const sleeper = { untilMs: this.monotonic() + ms, awake: () => early.abort() };
    if (ms > LONG_MS) this.#sleepers.add(sleeper);
    try {
      await systemClock.sleep(ms, AbortSignal.any([early.signal, ...(signal ? [signal] : [])]));
    } catch (reason) {
      if (signal?.aborted || !early.signal.aborted) throw reason;
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }

  skip(ms: number): void {
    this.#aheadMs += ms;
    for (const { untilMs, awake } of this.#sleepers) if (untilMs <= this.monotonic()) awake();
  }
}
