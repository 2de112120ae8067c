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
