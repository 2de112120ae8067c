import { isPossibleTime } from '../host/possible-time.ts';
import { CommandError } from './errors.ts';
import { rfc3339 } from './text.ts';
import { releaseTimeMs, version } from './version.ts';

/**
 * The machine's time, for what lasts: certificates, metadata of updates, setup codes.
 * @param nowMs what its clock says, milliseconds since 1970.
 * @throws CommandError CLOCK_WRONG when it cannot be the present.
 */
export function presentTime(nowMs: number = Date.now(), releaseMs: number = releaseTimeMs()): number {
  if (isPossibleTime(nowMs, releaseMs)) return nowMs;
  const early = nowMs < releaseMs;
  throw new CommandError(
    'CLOCK_WRONG',
    `this machine's clock says ${rfc3339(nowMs)}, ` +
      (early
        ? `and Oriel ${version()} is of ${rfc3339(releaseMs)}`
        : `more than ten years after Oriel ${version()} was released`) +
      ": what is made now would carry that time for years, so nothing was made. Set the clock, as root: timedatectl set-ntp true, or date -u -s 'YYYY-MM-DD HH:MM'; then try again",
  );
}
