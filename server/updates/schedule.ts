import { type Backoff, jitteredBackoffMs, spreadPeriodMs } from '../../host/backoff.ts';

/** When a mirror checks its maker. Pure. */

const EVERY_MS = 3_600_000;
const RETRIES: Backoff = { firstMs: 60_000, longestMs: EVERY_MS };

/**
 * How long until the next check, ms.
 * @param failures checks in a row that came to nothing. @param random 0 to 1: households do not all ask at once.
 */
export function checkDelayMs(failures: number, random: number): number {
  return failures === 0 ? spreadPeriodMs(EVERY_MS, random) : jitteredBackoffMs(RETRIES, failures, random);
}
