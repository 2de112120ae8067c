import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_INTERVAL_MS = 50;

/**
 * Looks again and again until there is something to see.
 * @param what for the error: what was waited for.
 * @returns the first answer that is neither false nor undefined.
 */
export async function until<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  patienceMs = 240_000,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`);
    await sleep(LOOK_INTERVAL_MS);
  }
}
