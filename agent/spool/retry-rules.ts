import { type Backoff, backoffMs } from '../../host/backoff.ts';

const PAUSES: Backoff = { firstMs: 500, longestMs: 30_000 };
const READS_TRIED = 3;
const READS_TRIED_FOR_MS = 10_000;

/** How long to leave a segment's file alone after its `failures`-th failure in a row, ms. */
export const pauseAfter = (failures: number): number => backoffMs(PAUSES, failures);

/** Whether a segment that failed `failures` reads in `forMs` milliseconds is given up. */
export function isBeyondReading(failures: number, forMs: number): boolean {
  return failures >= READS_TRIED && forMs >= READS_TRIED_FOR_MS;
}
