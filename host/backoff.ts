/**
 * Waits between tries. A wait after a failure doubles with each further one, and ends at its longest; where many machines
 * could fail together, it is drawn from the upper half of that (jitter). Pure.
 */

export interface Backoff {
  /** After the first failure, ms. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Without jitter, for what no other machine waits for. @param failures in a row, from 1. @returns ms. */
export const backoffMs = ({ firstMs, longestMs }: Backoff, failures: number): number =>
  Math.min(longestMs, firstMs * 2 ** Math.max(0, failures - 1));

/** With jitter. @param failures in a row, from 1. @param random in [0, 1). @returns ms. */
export const jitteredBackoffMs = (backoff: Backoff, failures: number, random: number): number =>
  withJitter(backoffMs(backoff, failures), random);

/** Half of a wait, up to the whole. @param random in [0, 1). */
export const withJitter = (ms: number, random: number): number => ms * (0.5 + random / 2);

/** A period, a fifth shorter up to a fifth longer: machines that begin together do not go on so. @param random in [0, 1). */
export const spreadPeriodMs = (ms: number, random: number): number => 0.8 * ms + 0.4 * ms * random;
