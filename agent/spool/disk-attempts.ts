import type { Clock } from '../../host/clock.ts';
import { HostError, type HostErrorCode } from '../../host/errors.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { SpoolCounters } from './counters.ts';
import { pauseAfter } from './retry-rules.ts';
import type { SpooledSegment } from './spooled-segment.ts';

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
