/** When a lane tries again, and how long it waits for a server that says nothing. Pure. */

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;
const MAX_STALL_MS = 120_000;

/**
 * Exponential backoff with full jitter: anything up to 0.25 s after the first failure, doubling to 30 s.
 * @param failures in a row, from 1.
 * @param random in [0, 1).
 */
export function retryDelayMs(failures: number, random: number): number {
  return random * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
}

/**
 * How long a silent server is waited for. It doubles with every stall in a row, since on a very slow line
 * one large record may take longer than the first limit.
 * @param stalls in a row, from 0.
 */
export function stallLimitMs(stalls: number, firstMs: number): number {
  return Math.min(Math.max(MAX_STALL_MS, firstMs), firstMs * 2 ** stalls);
}
