import type { Policy } from '../../crypto/policy.ts';
import { type Backoff, backoffMs } from '../../host/backoff.ts';

/** By default: each costs half a second of CPU, as much as half a minute of the recording. */
export const SNAPSHOT_INTERVAL_MS = 600_000;
/** A camera has to find its exposure first. */
export const FIRST_SNAPSHOT_MS = 2_000;
/** However often snapshots are asked for, they are no closer than this: a session has numbers for as many. */
export const CLOSEST_SNAPSHOTS_MS = 10_000;
const RETRIES: Backoff = { firstMs: CLOSEST_SNAPSHOTS_MS, longestMs: 600_000 };

export interface SnapshotState {
  /** Whether the owner's policy allows snapshots. */
  readonly allowed: boolean;
  /** Whether one is being made. */
  readonly making: boolean;
  /** Whether one was asked for. */
  readonly requested: boolean;
  /** Since recording began. */
  readonly recordingMs: number;
  /** Since the last one was begun; undefined before the first. */
  readonly sinceLastMs: number | undefined;
  /** How many in a row came to nothing. */
  readonly failures: number;
}

/**
 * Whether this keyframe is to become a snapshot.
 * @param intervalMs 0: only when asked for.
 */
export function isSnapshotDue(state: SnapshotState, intervalMs: number): boolean {
  const { allowed, making, requested, recordingMs, sinceLastMs, failures } = state;
  if (!allowed || making) return false;
  if (sinceLastMs === undefined) return requested || (intervalMs > 0 && recordingMs >= FIRST_SNAPSHOT_MS);
  if (requested && sinceLastMs >= CLOSEST_SNAPSHOTS_MS) return true;
  if (intervalMs === 0) return false;
  return sinceLastMs >= (failures === 0 ? intervalMs : retryDelay(failures));
}

const retryDelay = (failures: number): number => backoffMs(RETRIES, failures);

/** Snapshots lie at the server: a mode in which nothing is stored has none. */
export function allowsSnapshots(mode: Policy['mode']): boolean {
  switch (mode) {
    case 'continuous':
      return true;
  }
}

/** What follows an answer for another request than the one that waits. */
export function afterStray(strays: number): 'wait' | 'give-up' {
  return strays < 3 ? 'wait' : 'give-up';
}
