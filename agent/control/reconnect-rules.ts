import { type Backoff, jitteredBackoffMs } from '../../host/backoff.ts';

/** When control dials again. Pure. */

/** How the last connection, or the attempt at one, ended. */
export type Ending =
  /** By us, since certificate or server are others now. */
  | 'renewed'
  /** It had been there. */
  | 'lost'
  /** There was nobody, or nobody to be talked to. */
  | 'unreachable'
  /** The server refused the camera: only another certificate, or its owner, changes that. */
  | 'refused';

const LOST_MS = 5_000;
const UNREACHABLE: Backoff = { firstMs: 2_000, longestMs: 60_000 };
const REFUSED: Backoff = { firstMs: 30_000, longestMs: 600_000 };

/**
 * All cameras of a server lose it at the same moment, and come back spread over the time that follows.
 * @param failures in a row, from 1: connections that never were.
 * @param random in [0, 1).
 * @returns ms.
 */
export function reconnectDelayMs(ending: Ending, failures: number, random: number): number {
  switch (ending) {
    case 'renewed':
      return 0;
    case 'lost':
      return random * LOST_MS;
    case 'unreachable':
      return jitteredBackoffMs(UNREACHABLE, failures, random);
    case 'refused':
      return jitteredBackoffMs(REFUSED, failures, random);
  }
}
