/** Pauses between tries of something that many machines do. Pure. */

export interface RetryRule {
  /** After the first failure, ms; doubled by each further one. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/** @param failures in a row, one at least. @returns ms. */
export function retryDelayMs(failures: number, { firstMs, longestMs }: RetryRule, random: number): number {
  return spreadMs(Math.min(firstMs * 2 ** (failures - 1), longestMs), random);
}

/** A quarter less to a quarter more. @param random 0 to 1: machines that begin together do not go on so. */
export const spreadMs = (ms: number, random: number): number => ms * (0.75 + random / 2);
