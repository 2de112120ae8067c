/** Exit codes of `oriel`, the same on every level. */
export const EXIT = {
  ok: 0,
  /** Something failed that is no fault of the footage. */
  failure: 1,
  /** The command line was not understood. */
  usage: 2,
  /** Footage was opened, but some of it is cut, still open, or missing. */
  incomplete: 3,
  /** Footage was refused: altered, forged, or not this key's to open. */
  refused: 4,
} as const;
