import { type Backoff, backoffMs, withJitter } from '../../host/backoff.ts';

/** Why a run of ffmpeg (or the attempt at one) ended. */
export type RunEnd =
  /** The source came to its end. */
  | 'finished'
  /** We were asked to stop. */
  | 'stopped'
  /** ffmpeg went away on its own: an error, a crash, a source that ended though it has no end. */
  | 'exited'
  /** No output for too long: killed. */
  | 'stalled'
  /** The agent refused the bytes. */
  | 'rubbish'
  /** The agent found GOPs too long to copy. */
  | 'gop'
  /** The agent found that the stream's time is not the time that went by. */
  | 'time'
  /** A better plan is to be tried again. */
  | 'replanned'
  /** The reader closed. */
  | 'unread'
  /** A new agent came while an old run went on. */
  | 'superseded'
  /** The source could not be probed, so ffmpeg was not started. */
  | 'unprobed'
  /** The camera on the network sent ffmpeg elsewhere: killed. */
  | 'redirected';

/** Ends that another run follows, each counted. */
export type RestartCause = Exclude<RunEnd, 'finished' | 'stopped'>;

export const RESTART_CAUSES = [
  'exited',
  'stalled',
  'rubbish',
  'gop',
  'time',
  'replanned',
  'unread',
  'superseded',
  'unprobed',
  'redirected',
] as const satisfies readonly RestartCause[];

/** What the agent or capture found, of which ffmpeg says nothing. */
export const FOUND: Readonly<Partial<Record<RunEnd, string>>> = {
  rubbish: 'what came is not the MP4 that it has to be',
  gop: 'its keyframes are over 20 s apart',
  time: 'its timestamps are not the time that goes by',
  replanned: 'what was given up is tried again',
};

export interface Restart {
  cause: RestartCause;
  delayMs: number;
  /** Consecutive failures, this one included. */
  failures: number;
}

const DELAYS: Backoff = { firstMs: 250, longestMs: 10_000 };
/** Good output for so long clears what went wrong before. */
export const GOOD_RUN_MS = 30_000;
/** A source that films between its failures is waited for no longer than half of what it filmed, or this. */
const SHORT_DELAY_MS = 1_000;

/**
 * Whether and when to start again: at once where nothing failed, else doubling from 0.25 s to 10 s, or to less where the
 * source filmed.
 * @param goodMs milliseconds from the run's first byte to its last
 * @param failures consecutive failures before this end
 * @param random 0 to 1: cameras do not knock together
 * @returns null when there is nothing to start again
 */
export function restartAfter(end: RunEnd, goodMs: number, failures: number, random: number): Restart | null {
  switch (end) {
    case 'finished':
    case 'stopped':
      return null;
    case 'gop':
    case 'replanned':
    case 'superseded':
      return { cause: end, delayMs: 0, failures: goodMs >= GOOD_RUN_MS ? 0 : failures };
    case 'exited':
    case 'stalled':
    case 'rubbish':
    case 'time':
    case 'unread':
    case 'unprobed':
    case 'redirected': {
      const inRow = goodMs >= GOOD_RUN_MS ? 1 : failures + 1;
      const filmed = goodMs > 0 && (end === 'exited' || end === 'stalled');
      const longestMs = filmed ? Math.max(SHORT_DELAY_MS, goodMs / 2) : DELAYS.longestMs;
      const delayMs = withJitter(Math.min(longestMs, backoffMs(DELAYS, inRow)), random);
      return { cause: end, delayMs, failures: inRow };
    }
  }
}
