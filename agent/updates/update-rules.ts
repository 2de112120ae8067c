import { type Backoff, jitteredBackoffMs, spreadPeriodMs } from '../../host/backoff.ts';

/** When to check for an update, and to report. Pure. */

const EVERY_MS = 6 * 3_600_000;
const RETRIES: Backoff = { firstMs: 30_000, longestMs: 3_600_000 };

/**
 * How long until the next check, milliseconds.
 * @param failures checks in a row that came to nothing.
 * @param random 0 to 1: cameras that check together at first do not go on so.
 */
export function checkDelayMs(failures: number, random: number): number {
  return failures === 0 ? spreadPeriodMs(EVERY_MS, random) : jitteredBackoffMs(RETRIES, failures, random);
}

const REPORTS: Backoff = { firstMs: 10_000, longestMs: 3_600_000 };

/** How long until the next check for something to report, milliseconds. @param failures deliveries in a row that failed. */
export function reportDelayMs(failures: number, random: number): number {
  return jitteredBackoffMs(REPORTS, failures + 1, random);
}
