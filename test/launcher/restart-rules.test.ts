import { afterCapture, CAPTURE_REFUSED, endingMs, restartDelay } from '../../launcher/restart-rules.ts';

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

test.each([
  ['capture', 0, false, 3_000],
  ['capture', 5_000, false, 3_000],
  // Within ten seconds of the signal, however long capture took.
  ['agent', 0, false, 8_500],
  ['agent', 3_000, false, 5_500],
  ['agent', 60_000, false, 1_000],
  // Its source ended, or another release goes on from here: no engine waits.
  ['agent', undefined, false, 30_000],
  ['capture', undefined, false, 30_000],
  ['agent', 100, true, 30_000],
] as const)(
  '[FC-17] %s, asked to end %s ms after a signal (handing over: %s), has %i ms',
  (role, since, handsOver, ms) => {
    expect(endingMs(role, since, handsOver)).toBe(ms);
  },
);
