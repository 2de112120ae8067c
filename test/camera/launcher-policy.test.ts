import { afterCapture, CAPTURE_REFUSED, restartDelay } from '../../agent/launcher-policy.ts';

test.each([
  [1, 0, 250],
  [1, 1, 500],
  [2, 1, 1000],
  [4, 1, 4000],
  [7, 1, 30_000],
  [100, 1, 30_000],
  [100, 0, 15_000],
])('after %i failures in a row, with %d drawn, a process waits %i ms', (failures, random, delay) => {
  expect(restartDelay(failures, random)).toBe(delay);
});

test.each([
  ['played to its end', 0, false, 'end'],
  ['refused its source', CAPTURE_REFUSED, false, 'end'],
  ['failed', 1, false, 'restart'],
  ['was killed', 128, false, 'restart'],
  ['was asked to end', 1, true, 'end'],
  ['was killed while the camera ends', 128, true, 'end'],
] as const)('capture that %s (%i)', (_, code, stopping, next) => {
  expect(afterCapture(code, stopping)).toBe(next);
});
