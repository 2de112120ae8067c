import { checkDelayMs, reportDelayMs } from '../../agent/updates/install-rules.ts';
import { checkDelayMs as mirrorDelayMs } from '../../server/updates/updates-mirror.ts';

/** How long machines wait between checks and after failures, at most, and what chance makes of it. */

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

test.each([
  ['checks for updates', checkDelayMs, 6 * HOUR, 30 * SECOND],
  ['a mirror’s checks', mirrorDelayMs, HOUR, 60 * SECOND],
])('%s', (_, delay, period, first) => {
  expect([0, 1].map((random) => delay(0, random) / period)).toEqual([0.8, 1.2]);
  expect([1, 2, 20, 2_000].map((failures) => delay(failures, 1))).toEqual([first, 2 * first, HOUR, HOUR]);
  for (const failures of [1, 200]) expect(delay(failures, 0)).toBe(delay(failures, 1) / 2);
});

test('reports on updates', () => {
  expect([0, 1, 20].map((failures) => reportDelayMs(failures, 1))).toEqual([10 * SECOND, 20 * SECOND, HOUR]);
  expect(reportDelayMs(0, 0)).toBe(5 * SECOND);
});
