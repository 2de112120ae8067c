/** When to look for an update, and to report. Pure. */

const EVERY_MS = 6 * 3_600_000;
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 3_600_000;

/**
 * How long until the next look, milliseconds.
 * @param failures looks in a row that came to nothing.
 * @param random 0 to 1: cameras that look together at first do not go on so.
 */
export function lookDelayMs(failures: number, random: number): number {
  const delay = failures === 0 ? EVERY_MS : Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
  return delay * (0.75 + random / 2);
}

const REPORT_MS = 10_000;

/** How long until the next look for something to report, milliseconds. @param failures deliveries in a row that failed. */
export function reportDelayMs(failures: number, random: number): number {
  return Math.min(REPORT_MS * 2 ** failures, LONGEST_RETRY_MS) * (0.75 + random / 2);
}
