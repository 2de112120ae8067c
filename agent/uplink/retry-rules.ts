import { type Backoff, backoffMs, jitteredBackoffMs } from '../../host/backoff.ts';

/** When a lane tries again, and how long it waits for a server that says nothing. Pure. */

const RETRIES: Backoff = { firstMs: 250, longestMs: 30_000 };
const MAX_STALL_MS = 120_000;

/** @param failures in a row, from 1. @param random in [0, 1). @returns ms. */
export const retryDelayMs = (failures: number, random: number): number =>
  jitteredBackoffMs(RETRIES, failures, random);

/**
 * How long a silent server is waited for. It doubles with every stall in a row, since on a very slow line
 * one large record may take longer than the first limit.
 * @param stalls in a row, from 0.
 */
export function stallLimitMs(stalls: number, firstMs: number): number {
  return backoffMs({ firstMs, longestMs: Math.max(MAX_STALL_MS, firstMs) }, stalls + 1);
}
