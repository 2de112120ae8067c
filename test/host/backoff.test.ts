import { backoffMs, jitteredBackoffMs, spreadPeriodMs, withJitter } from '../../host/backoff.ts';

const RULE = { firstMs: 500, longestMs: 30_000 };

test.each([
  [0, 500],
  [1, 500],
  [2, 1_000],
  [6, 16_000],
  [7, 30_000],
  [5_000, 30_000],
])('after %i failures in a row the wait is %i ms', (failures, ms) => {
  expect(backoffMs(RULE, failures)).toBe(ms);
});

test('jitter takes up to half of it; a period keeps its mean', () => {
  expect([0, 0.5, 1].map((random) => jitteredBackoffMs(RULE, 2, random))).toEqual([500, 750, 1_000]);
  expect([0, 0.5, 1].map((random) => withJitter(40, random))).toEqual([20, 30, 40]);
  expect([0, 0.5, 1].map((random) => spreadPeriodMs(60_000, random))).toEqual([48_000, 60_000, 72_000]);
});
