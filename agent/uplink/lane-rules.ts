import { type Backoff, backoffMs, jitteredBackoffMs } from '../../host/backoff.ts';
import type { StoredSegment } from '../spool/stored-segment.ts';

/** When a lane tries again, and how long it waits for a server that says nothing. Pure. */

const RETRIES: Backoff = { firstMs: 250, longestMs: 30_000 };
const MAX_STALL_MS = 120_000;

/** @param failures in a row, from 1. @param random in [0, 1). @returns ms. */
export const retryDelayMs = (failures: number, random: number): number =>
  jitteredBackoffMs(RETRIES, failures, random);

/**
 * How long a silent server is waited for. It doubles with every stall in a row, since on a very slow line
 * one large record may take longer than the first limit.
 * @param stalls in a row, from 0.
 */
export function stallLimitMs(stalls: number, firstMs: number): number {
  return backoffMs({ firstMs, longestMs: Math.max(MAX_STALL_MS, firstMs) }, stalls + 1);
}

/**
 * Which segment each lane takes. Pure. *Live* follows the segment that is being recorded; *backlog* takes
 * everything else, oldest first. One segment is never in both.
 */

type Listed = Pick<StoredSegment, 'state' | 'base' | 'end'>;

/** The newest segment while it grows and has bytes to send. */
export function pickLive<S extends Listed>(
  segments: readonly S[],
  taken: (segment: S) => boolean,
): S | undefined {
  const newest = segments.at(-1);
  if (newest?.state !== 'open' || newest.end === newest.base || taken(newest)) return undefined;
  return newest;
}

/** The oldest segment that no longer grows; those that were refused before come after all others. */
export function pickBacklog<S extends Listed>(
  segments: readonly S[],
  taken: (segment: S) => boolean,
  refusedBefore: (segment: S) => boolean,
): S | undefined {
  const free = (segment: S) => segment.state !== 'open' && !taken(segment);
  return segments.find((segment) => free(segment) && !refusedBefore(segment)) ?? segments.find(free);
}

/** Whether a server has its beginning, and has not said yet that it has the end. */
export function isBegun({ base }: Pick<StoredSegment, 'base'>): boolean {
  return base > 0;
}

interface LiveView {
  /** Whether a newer segment than the one in the live lane has begun. */
  readonly newerBegun: boolean;
  /** Age of the oldest record of the live lane's segment that the server has not received, ms. */
  readonly unreceivedMs: number;
  /** How long the newer segment's first bytes have been waiting, ms. */
  readonly newerWaitingMs: number;
}

/** Whether live leaves its segment to the backlog and goes on with the newest. */
export function liveJumps(view: LiveView, limitMs: number): boolean {
  return view.newerBegun && (view.unreceivedMs > limitMs || view.newerWaitingMs > limitMs);
}

/** Whether backlog holds back because live, on the same line, is late. */
export function backlogYields(liveUnreceivedMs: number, limitMs: number): boolean {
  return liveUnreceivedMs > limitMs;
}
