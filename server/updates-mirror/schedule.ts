/** When a mirror checks its maker. Pure. */

const EVERY_MS = 3_600_000;
const FIRST_RETRY_MS = 60_000;

/**
 * How long until the next check, ms.
 * @param failures checks in a row that came to nothing. @param random 0 to 1: households do not all ask at once.
 */
export function checkDelayMs(failures: number, random: number): number {
  const delay = failures === 0 ? EVERY_MS : Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), EVERY_MS);
  return delay * (0.75 + random / 2);
}
