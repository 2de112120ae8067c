/** Which day key a session is sealed to: moved on by number and recorded time, never by the wall clock. */

/** Recorded running time under one day key, milliseconds. */
export const DAY_MS = 24 * 60 * 60 * 1000;

export interface DayKeyUse {
  readonly number: number;
  /** Time recorded under it so far, milliseconds. */
  readonly recordedMs: number;
}

/**
 * The day key for the next session.
 * @param used the one last used; undefined for a camera's first session.
 * @param minimum the owner's policy uses none below.
 * @param newest the highest number at hand: when the keys run out, the newest serves on.
 */
export function nextDayKey(
  used: DayKeyUse | undefined,
  minimum: number,
  newest: number,
): { readonly use: DayKeyUse; readonly exhausted: boolean } {
  const current = used ?? { number: minimum, recordedMs: 0 };
  const moved = current.recordedMs >= DAY_MS ? current.number + 1 : current.number;
  const wanted = Math.max(moved, minimum);
  const number = Math.min(wanted, newest);
  const recordedMs = number === current.number ? current.recordedMs : 0;
  return { use: { number, recordedMs }, exhausted: wanted > newest };
}
