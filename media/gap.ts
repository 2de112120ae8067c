/** Time that no footage covers: between the end of one segment and the start of the next. Pure. */

/**
 * What is shorter is no gap, µs: segments are dated by when their fragments arrive, which wavers by some hundredths of a
 * second.
 */
export const GAP_MIN_US = 300_000;

/** The gap from `endUs` to `startUs`, both µs of one clock; 0 where there is none. */
export function gapUs(endUs: number, startUs: number): number {
  const between = startUs - endUs;
  return between >= GAP_MIN_US ? between : 0;
}
