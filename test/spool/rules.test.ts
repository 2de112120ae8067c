import { isBeyondReading, pauseAfter } from '../../agent/spool/disk-attempts.ts';
import { type Occupancy, selectEvictions } from '../../agent/spool/eviction-rules.ts';
import { type AfterPass, restAfterPass } from '../../agent/spool/limits.ts';

const onDisk = (disk: number, pending = 0): Occupancy => ({ disk, pending, pinned: pending });
const inMemory = (pinned: number, pending = 0): Occupancy => ({ disk: 0, pending, pinned });

describe('who gives way', () => {
  const room = { disk: 1000, memory: 500, tombstone: 10 };
  test.each<[string, Occupancy[], number[], number[]]>([
    ['nothing there', [], [], []],
    ['everything fits exactly', [onDisk(600), onDisk(300, 100)], [], []],
    ['one byte too many: the oldest', [onDisk(600), onDisk(300, 101)], [0], []],
    ['what it leaves behind counts: two go', [onDisk(100), onDisk(100), onDisk(800, 91)], [0, 1], []],
    ['as many as are needed, from the oldest on', [onDisk(300), onDisk(300), onDisk(300, 500)], [0, 1], []],
    ['a tombstone gives no room', [onDisk(10), onDisk(900), onDisk(50, 100)], [1], []],
    ['the oldest waits if it is not on the disk', [inMemory(200, 200), onDisk(900, 50)], [], [0]],
    [
      'waiting is not enough: the next is dropped',
      [inMemory(50, 50), onDisk(900), onDisk(200, 50)],
      [1],
      [0],
    ],
    ['the open one goes last', [onDisk(100), onDisk(1500, 100)], [0, 1], []],
    ['the open one alone is too large', [onDisk(900, 200)], [0], []],
    ['memory fits exactly', [inMemory(250), inMemory(250)], [], []],
    ['memory is short: the oldest in memory', [onDisk(100), inMemory(300), inMemory(201)], [1], []],
    ['memory is short: as many as needed', [inMemory(300), inMemory(300), inMemory(300)], [0, 1], []],
    ['what is dropped for the disk is no burden on memory', [onDisk(900, 400), inMemory(400)], [0], []],
    ['withheld and too much for memory: dropped', [inMemory(600, 600), onDisk(900)], [0], []],
  ])('%s', (_, segments, drop, withhold) => {
    expect(selectEvictions(segments, room)).toEqual({ drop, withhold });
  });

  test('a budget below nothing (others have filled the disk) drops all that is on it', () => {
    const segments = [onDisk(300), inMemory(100, 100), onDisk(300)];
    expect(selectEvictions(segments, { ...room, disk: -50 })).toEqual({ drop: [0, 2], withhold: [1] });
  });
});

test.each([
  [0, 500],
  [1, 500],
  [2, 1000],
  [3, 2000],
  [7, 30_000],
  [1000, 30_000],
])('after %i failures the file rests for %i ms', (failures, ms) => {
  expect(pauseAfter(failures)).toBe(ms);
});

test.each([
  [1, 0, false],
  [2, 60_000, false],
  [3, 9_999, false],
  [3, 10_000, true],
  [100, 0, false],
  [100, 10_000, true],
])('%i failed reads in %i ms: given up %s', (failures, ms, expected) => {
  expect(isBeyondReading(failures, ms)).toBe(expected);
});

test.each<[AfterPass, number]>([
  [{ oldestMs: undefined, isBehind: false }, 1250],
  [{ oldestMs: 0, isBehind: false }, 1250],
  [{ oldestMs: 400, isBehind: false }, 850],
  [{ oldestMs: 1000, isBehind: false }, 250],
  [{ oldestMs: 1240, isBehind: false }, 250],
  [{ oldestMs: 60_000, isBehind: false }, 250],
  [{ oldestMs: undefined, isBehind: true }, 250],
])('after a pass that left %j the spool rests for %i ms', (left, ms) => {
  expect(restAfterPass(left)).toBe(ms);
});

test.each([0, 200, 999, 1000, 1001, 1249, 1250])(
  'a record that comes %i ms before the end of any rest is due 1.5 s after it came, or sooner',
  (beforeMs) => {
    let age = beforeMs;
    while (age < 1250) age += restAfterPass({ oldestMs: age, isBehind: false });
    expect(age).toBeLessThanOrEqual(1500);
  },
);
