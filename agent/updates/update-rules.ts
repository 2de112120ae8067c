import { retryDelayMs, spreadMs } from '../../ota/retry-delay.ts';

/** When to check for an update, and to report. Pure. */

const EVERY_MS = 6 * 3_600_000;
const RETRIES = { firstMs: 30_000, longestMs: 3_600_000 };

/**
 * How long until the next check, milliseconds.
 * @param failures checks in a row that came to nothing.
 * @param random 0 to 1: cameras that check together at first do not go on so.
 */
export function checkDelayMs(failures: number, random: number): number {
  return failures === 0 ? spreadMs(EVERY_MS, random) : retryDelayMs(failures, RETRIES, random);
}

const REPORTS = { firstMs: 10_000, longestMs: 3_600_000 };

/** How long until the next check for something to report, milliseconds. @param failures deliveries in a row that failed. */
export function reportDelayMs(failures: number, random: number): number {
  return retryDelayMs(failures + 1, REPORTS, random);
}
