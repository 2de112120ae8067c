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
const UNREACHABLE_MS = 2_000;
const MAX_UNREACHABLE_MS = 60_000;
const REFUSED_MS = 30_000;
const MAX_REFUSED_MS = 600_000;

/**
 * Full jitter throughout: all cameras of a server lose it at the same moment, and are not to come back at the same.
 * @param failures in a row, from 1: connections that never were.
 * @param random in [0, 1).
 * @returns ms.
 */
export function reconnectDelayMs(ending: Ending, failures: number, random: number): number {
  const doubled = 2 ** Math.max(0, failures - 1);
  switch (ending) {
    case 'renewed':
      return 0;
    case 'lost':
      return random * LOST_MS;
    case 'unreachable':
      return random * Math.min(MAX_UNREACHABLE_MS, UNREACHABLE_MS * doubled);
    case 'refused':
      return random * Math.min(MAX_REFUSED_MS, REFUSED_MS * doubled);
  }
}
