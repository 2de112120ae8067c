import { type Backoff, backoffMs } from '../../host/backoff.ts';
import type { Clock } from '../../host/clock.ts';
import { HostError, type HostErrorCode } from '../../host/errors.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { SpoolCounters } from './counters.ts';
import type { SpooledSegment } from './spooled-segment.ts';

const PAUSES: Backoff = { firstMs: 500, longestMs: 30_000 };
const READS_TRIED = 3;
const READS_TRIED_FOR_MS = 10_000;

/** How long to leave a segment's file alone after its `failures`-th failure in a row, ms. */
export const pauseAfter = (failures: number): number => backoffMs(PAUSES, failures);

/** Whether a segment that failed `failures` reads in `forMs` milliseconds is given up. */
export function isBeyondReading(failures: number, forMs: number): boolean {
  return failures >= READS_TRIED && forMs >= READS_TRIED_FOR_MS;
}

/** Tries things on the disk. A failure is counted, and never goes further than the segment it met. */
export class DiskAttempts {
  readonly #clock: Clock;
  readonly #counters: SpoolCounters;
  readonly #log: AgentLog;

  constructor(clock: Clock, counters: SpoolCounters, log: AgentLog) {
    this.#clock = clock;
    this.#counters = counters;
    this.#log = log;
  }

  /** Whether the segment's last failure is too recent. */
  isPausing({ trouble }: SpooledSegment): boolean {
    return this.#clock.monotonic() < trouble.retryAt;
  }

  /** Does something for a segment; gives the code of the disk's failure, after which the segment pauses. */
  async forSegment(
    segment: SpooledSegment,
    operation: () => Promise<void>,
  ): Promise<HostErrorCode | undefined> {
    const code = await this.plain(operation);
    const failures = code === undefined ? 0 : segment.trouble.failures + 1;
    const retryAt = code === undefined ? 0 : this.#clock.monotonic() + pauseAfter(failures);
    segment.trouble = { failures, retryAt };
    return code;
  }

  /** Does something; gives the code of the disk's failure. What is no failure of the disk is thrown on. */
  async plain(operation: () => Promise<void>): Promise<HostErrorCode | undefined> {
    try {
      await operation();
      return undefined;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#counters.countDiskError();
      this.#log.warn(errorFields(error), 'spool: the disk failed');
      return error.code;
    }
  }
}
