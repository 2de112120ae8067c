import type { DayKeyUse } from '../state/camera-state.ts';

/** Which day key a session is sealed to: moved on by number and recorded time, never by the wall clock. */

/** Recorded running time under one day key, milliseconds. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * One viewer's day key for the next session.
 * @param used the one last used for it; undefined for its first session.
 * @param floor no key of a lower number is taken.
 * @param usable the numbers at hand from the floor on, ascending.
 * @returns undefined when there is none: nothing is sealed to this viewer. `exhausted`: the keys have run out, and the
 * newest serves on.
 */
export function nextDayKey(
  used: DayKeyUse | undefined,
  floor: number,
  usable: readonly number[],
): { readonly use: DayKeyUse; readonly exhausted: boolean } | undefined {
  const newest = usable.at(-1);
  if (newest === undefined) return undefined;
  const current = used ?? { number: floor, recordedMs: 0 };
  const moved = current.recordedMs >= DAY_MS ? current.number + 1 : current.number;
  const wanted = Math.max(moved, floor);
  const number = usable.find((each) => each >= wanted) ?? newest;
  const recordedMs = number === current.number ? current.recordedMs : 0;
  return { use: { number, recordedMs }, exhausted: wanted > newest };
}
