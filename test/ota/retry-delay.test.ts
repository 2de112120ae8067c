import { checkDelayMs, reportDelayMs } from '../../agent/updates/update-rules.ts';
import { checkDelayMs as mirrorDelayMs } from '../../server/updates/schedule.ts';

/** How long machines wait between tries, in the middle of what chance makes of it, and at its ends. */

const MIDDLE = 0.5;
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

test.each([
  ['checks for updates', checkDelayMs, 6 * HOUR, 30 * SECOND, 60 * SECOND],
  ['reports on updates', reportDelayMs, 10 * SECOND, 20 * SECOND, 40 * SECOND],
  ['a mirror’s checks', mirrorDelayMs, HOUR, 60 * SECOND, 120 * SECOND],
])('%s', (_, delay, none, one, two) => {
  expect([0, 1, 2].map((failures) => delay(failures, MIDDLE))).toEqual([none, one, two]);
  expect([20, 200, 2_000].map((failures) => delay(failures, MIDDLE))).toEqual([HOUR, HOUR, HOUR]);
  for (const failures of [0, 1, 200]) {
    const middle = delay(failures, MIDDLE);
    expect([0, 1].map((random) => delay(failures, random) / middle)).toEqual([0.75, 1.25]);
  }
});
