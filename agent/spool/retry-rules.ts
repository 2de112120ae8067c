const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const READS_TRIED = 3;
const READS_TRIED_FOR_MS = 10_000;

/** How long to leave a segment's file alone after its `failures`-th failure in a row, ms. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
}

/** Whether a segment that failed `failures` reads in `forMs` milliseconds is given up. */
export function isBeyondReading(failures: number, forMs: number): boolean {
  return failures >= READS_TRIED && forMs >= READS_TRIED_FOR_MS;
}
