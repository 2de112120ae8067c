/** How much of a stream is taken in one second, so that capture cannot take all of the agent's time. Pure. */

/** Bytes a second; a fragment costs as much as so many of them. Several times what any camera films. */
const BYTES_PER_SECOND = 32 * 1024 * 1024;
const FRAGMENT_BYTES = 64 * 1024;
/** What may come at once, after a pause. */
const BURST_BYTES = 4 * BYTES_PER_SECOND;

export interface Pace {
  /** Bytes that may be taken without waiting; below 0, what is owed. */
  readonly left: number;
  /** Monotonic ms. */
  readonly atMs: number;
}

export const beginPace = (atMs: number): Pace => ({ left: BURST_BYTES, atMs });

/** The pace after something was taken, and how long to take nothing, ms. */
export function take(
  { left, atMs }: Pace,
  nowMs: number,
  bytes: number,
  fragments: number,
): Pace & { readonly waitMs: number } {
  const regained = ((nowMs - atMs) / 1000) * BYTES_PER_SECOND;
  const now = Math.min(BURST_BYTES, left + regained) - bytes - fragments * FRAGMENT_BYTES;
  return { left: now, atMs: nowMs, waitMs: now >= 0 ? 0 : Math.ceil((-now / BYTES_PER_SECOND) * 1000) };
}
