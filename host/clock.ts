/**
 * Whether a clock's time can be the present one: not before the build's own release, and not ten years and more after it,
 * which is five years after the build's last fix. Where a wrong time would go into something that lasts (certificates,
 * metadata, setup codes), nothing is made by a clock that is certainly wrong. Pure.
 */

const YEAR_MS = 365.25 * 86_400_000;
/** How long after its release a build still takes a time for the present one. */
export const BUILD_LIFE_MS = 10 * YEAR_MS;

/** @param nowMs what the clock says, @param releaseMs when the build was released; ms since 1970. */
export function isPossibleTime(nowMs: number, releaseMs: number): boolean {
  return nowMs >= releaseMs && nowMs < releaseMs + BUILD_LIFE_MS;
}

/** Time as the rooms see it, passed in so that tests can turn it. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970-01-01T00:00:00Z. May be wrong and may jump: for display only. */
  now(): number;
  /** Milliseconds since an arbitrary point. Never jumps and never goes back: for every interval and timeout. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, or rejects with the signal's reason once it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
};
