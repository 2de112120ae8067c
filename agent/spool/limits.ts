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

/** How often the spool looks what is due, at most, ms (pass-rules.ts). */
export const PASS_INTERVAL_MS = 250;
/**
 * Age at which an unacknowledged record is due on the disk, ms. With the interval it makes 1.5 s, which
 * leaves half a second of the promised two to the disk.
 */
export const WRITE_AFTER_MS = 1250;
