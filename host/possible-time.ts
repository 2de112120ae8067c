/**
 * Whether a clock's time can be the present one: not before the build's own release, and not ten years and more after it,
 * which is five years after the build's last fix. Where a wrong time would go into something that lasts (certificates,
 * metadata, setup codes), nothing is made by a clock that is certainly wrong. Pure.
 */

const YEAR_MS = 365.25 * 86_400_000;
/** How long after its release a build still takes a time for the present one. */
export const BUILD_LIFE_MS = 10 * YEAR_MS;

/** @param nowMs what the clock says, @param releaseMs when the build was released; ms since 1970. */
export function isPossibleTime(nowMs: number, releaseMs: number): boolean {
  return nowMs >= releaseMs && nowMs < releaseMs + BUILD_LIFE_MS;
}
