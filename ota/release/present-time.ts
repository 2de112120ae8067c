import { parseRfc3339, rfc3339 } from '../../crypto/time.ts';
import { isPossibleTime } from '../../host/clock.ts';
import { releaseTimeMs, version } from '../version.ts';
import { ReleaseError } from './errors.ts';

/** Clocks of a maker's machines are not further apart. */
const CLOCKS_DIFFER_MS = 24 * 3_600_000;

/**
 * The machine's time, for what lasts: certificates, metadata of updates, setup codes.
 * @param nowMs what its clock says, milliseconds since 1970.
 * @throws ReleaseError CLOCK_WRONG when it cannot be the present.
 */
export function presentTime(nowMs: number = Date.now(), releaseMs: number = releaseTimeMs()): number {
  if (isPossibleTime(nowMs, releaseMs)) return nowMs;
  const early = nowMs < releaseMs;
  throw new ReleaseError(
    'CLOCK_WRONG',
    `this machine's clock says ${rfc3339(nowMs)}, ` +
      (early
        ? `and Oriel ${version()} is of ${rfc3339(releaseMs)}`
        : `more than ten years after Oriel ${version()} was released`) +
      ": what is done now would go by that time for years, so nothing was done. Set the clock, as root: timedatectl set-ntp true, or date -u -s 'YYYY-MM-DD HH:MM'; then try again",
  );
}

/**
 * A time that is about to be signed, which cameras then take for past: certificates that end before it have ended.
 * @throws ReleaseError CLOCK_WRONG when it is yet to come.
 */
export function requirePast(what: string, time: string, nowMs: number): void {
  const timeMs = parseRfc3339(time) ?? Number.NaN;
  if (timeMs <= nowMs + CLOCKS_DIFFER_MS) return;
  throw new ReleaseError(
    'CLOCK_WRONG',
    `${what} says that it is of ${time}, and here it is ${rfc3339(nowMs)}: cameras that believe it lose their certificates. Set this machine's clock, or build the release anew with a releaseTime that has passed`,
  );
}
