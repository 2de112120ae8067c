import { PASS_INTERVAL_MS, WRITE_AFTER_MS } from './limits.ts';

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
