import type { Clock } from '../../host/clock.ts';

/** A clock that stands still until it is advanced. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  #sleepers: { until: number; wake: () => void }[] = [];

  now(): number {
    return 1_800_000_000_000 + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.#sleepers.push({ until: this.#now + ms, wake: resolve });
    });
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter(({ until }) => until <= this.#now);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now);
    for (const { wake } of due) wake();
  }
}
