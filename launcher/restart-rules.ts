import { type Backoff, jitteredBackoffMs } from '../host/backoff.ts';

const RESTARTS: Backoff = { firstMs: 500, longestMs: 30_000 };

/**
 * How long to wait before a process that died is started again, ms.
 * @param failures how often in a row it ended soon after its start, 1 or more.
 * @param random 0 to 1: cameras that died together do not come back together.
 */
export const restartDelay = (failures: number, random: number): number =>
  jitteredBackoffMs(RESTARTS, failures, random);

/** Exit code of capture when the source or the plan is refused: started again, it would be refused again. */
export const CAPTURE_REFUSED = 2;

/** What follows the end of capture. */
export function afterCapture(code: number, stopping: boolean): 'end' | 'restart' {
  return stopping || code === 0 || code === CAPTURE_REFUSED ? 'end' : 'restart';
}

/** How long a role may take to end by itself, at its source's end, or where another release goes on from here, ms. */
const ENDING_MS = 30_000;
/**
 * The same after a signal: a container's engine kills ten seconds after it, and what ffmpeg holds up, or a server that
 * hangs, must not cost the order of the rest.
 */
const CAPTURE_STOP_MS = 3_000;
const AGENT_STOP_MS = 8_500;
const LEAST_MS = 1_000;

/** @param sinceSignalMs undefined without one. @returns how long a role that is asked to end now may take, ms. */
export function endingMs(
  role: 'agent' | 'capture',
  sinceSignalMs: number | undefined,
  handsOver: boolean,
): number {
  if (sinceSignalMs === undefined || handsOver) return ENDING_MS;
  return role === 'capture' ? CAPTURE_STOP_MS : Math.max(AGENT_STOP_MS - sinceSignalMs, LEAST_MS);
}
