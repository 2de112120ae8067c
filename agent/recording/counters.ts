/**
 * What became of the captured media, in microseconds of video samples and in counts, since the agent started.
 * Captured = sealed + skipped; what was sealed is acknowledged, held or dropped by the spool.
 */
export interface Counters {
  fragments: number;
  capturedUs: number;
  /** When the last fragment came, ms since 1970, for display. */
  lastFragmentAt: number | undefined;
  /** Given up unsealed: before a keyframe, while no session could begin, or when sealing or keeping it failed. */
  skippedUs: number;
  skippedFragments: number;
  sessions: number;
  segments: number;
  records: number;
  sealedUs: number;
  sealedBytes: number;
  /** Streams refused because they were not the MP4 they have to be. */
  refusedStreams: number;
}

export const emptyCounters = (): Counters => ({
  fragments: 0,
  capturedUs: 0,
  lastFragmentAt: undefined,
  skippedUs: 0,
  skippedFragments: 0,
  sessions: 0,
  segments: 0,
  records: 0,
  sealedUs: 0,
  sealedBytes: 0,
  refusedStreams: 0,
});
