/** What the spool has left to do after a pass. */
export interface AfterPass {
  /** Age of the oldest unacknowledged record that the disk does not have, ms; undefined when there is none. */
  readonly oldestMs: number | undefined;
  /** Whether files wait to be removed or given up, or the disk failed. */
  readonly isBehind: boolean;
}

/**
 * How long the spool may rest, ms: until its oldest record is due. A record that comes meanwhile is not due before the end of the
 * longest rest. Pure.
 */
export function restAfterPass({ oldestMs = 0, isBehind }: AfterPass): number {
  return isBehind ? PASS_INTERVAL_MS : Math.max(PASS_INTERVAL_MS, WRITE_AFTER_MS - oldestMs);
}

/** What the spool may take up. */
export interface SpoolLimits {
  /** Greatest sum of the lengths of its files, bytes. */
  readonly maxBytes: number;
  /** What its writing leaves free on the file system, bytes. */
  readonly minFreeBytes: number;
  /** Greatest sum of the records in memory, bytes. */
  readonly maxMemoryBytes: number;
  /** Dropped segments remembered one by one. */
  readonly maxTombstones: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: SpoolLimits = {
  maxBytes: 1024 * MIB,
  minFreeBytes: 256 * MIB,
  maxMemoryBytes: 24 * MIB,
  maxTombstones: 10_000,
};

/** How often the spool looks what is due, at most, ms (limits.ts). */
export const PASS_INTERVAL_MS = 250;
/**
 * Age at which an unacknowledged record is due on the disk, ms. With the interval it makes 1.5 s, which
 * leaves half a second of the promised two to the disk.
 */
export const WRITE_AFTER_MS = 1250;
