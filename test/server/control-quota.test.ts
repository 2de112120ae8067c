import { ControlQuota } from '../../server/control/control-quota.ts';
import { ManualClock } from '../faults/manual-clock.ts';

const rules = { packets: { burst: 3, refillMs: 1000 }, bytes: { burst: 100, refillMs: 10 } };

test.each<[string, [wait: number, camera: string, length: number, allowed: boolean][]]>([
  [
    'packets',
    [
      [0, 'a', 1, true],
      [0, 'a', 1, true],
      [0, 'a', 1, true],
      [0, 'a', 1, false],
      [999, 'a', 1, false],
      [1, 'a', 1, true],
      [0, 'a', 1, false],
    ],
  ],
  [
    'bytes',
    [
      [0, 'a', 60, true],
      [0, 'a', 60, false],
      [0, 'a', 40, true],
      [599, 'a', 60, false],
      [1, 'a', 60, true],
    ],
  ],
  ['more than ever fits', [[0, 'a', 101, false]]],
  [
    'each camera by itself',
    [
      [0, 'a', 100, true],
      [0, 'b', 100, true],
      [0, 'a', 1, false],
      [0, 'b', 1, false],
    ],
  ],
])('%s', (_name, takes) => {
  const clock = new ManualClock();
  const quota = new ControlQuota(rules, () => clock.monotonic());
  const allowed = takes.map(([wait, camera, length]) => {
    clock.advance(wait);
    return quota.take(camera, length);
  });
  expect(allowed).toEqual(takes.map(([, , , expected]) => expected));
});
