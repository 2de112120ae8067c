import { FootageGaps } from '../../agent/recording/footage-gaps.ts';

const CLOCK = 1_790_000_000_000;

/** Segments as they are filmed, from and to in monotonic ms. */
function filmed(
  gaps: FootageGaps,
  ...segments: readonly (readonly [fromMs: number, toMs: number])[]
): FootageGaps {
  for (const [fromMs, toMs] of segments) {
    gaps.begin(fromMs, CLOCK + fromMs);
    gaps.extend(toMs);
  }
  return gaps;
}
const fresh = () => new FootageGaps(undefined, 0);

test.each<[string, readonly (readonly [number, number])[], number, number]>([
  [
    'one after the other',
    [
      [100, 4100],
      [4100, 8100],
    ],
    8100,
    0,
  ],
  [
    'some hundredths apart',
    [
      [100, 4100],
      [4390, 8100],
    ],
    8100,
    0,
  ],
  [
    '0.3 s apart',
    [
      [100, 4100],
      [4400, 8100],
    ],
    8100,
    300,
  ],
  [
    'two gaps',
    [
      [0, 1000],
      [3000, 4000],
      [9000, 10_000],
    ],
    10_000,
    7000,
  ],
  [
    'overlapping',
    [
      [0, 5000],
      [3000, 8000],
    ],
    8000,
    0,
  ],
  ['nothing for some seconds', [[0, 1000]], 3900, 0],
  ['nothing for longer', [[0, 1000]], 61_000, 60_000],
])('%s', (_, segments, nowMs, gapMs) => {
  expect(filmed(fresh(), ...segments).totalUs(nowMs)).toBe(gapMs * 1000);
});

test('of the last five minutes: what goes on, and what lies before them only in part', () => {
  const gaps = filmed(fresh(), [0, 10_000], [70_000, 80_000]);
  expect(gaps.recentMs(80_000)).toBe(60_000);
  expect(gaps.recentMs(340_000)).toBe(30_000 + 260_000);
});

test('a camera that has filmed nothing yet is as blind as one whose source went away', () => {
  expect(fresh().recentMs(60_000)).toBe(60_000);
  const late = filmed(fresh(), [60_000, 61_000]);
  expect(late.recentMs(61_000)).toBe(60_000);
  expect(late.totalUs(61_000)).toBe(0);
});

test('no gap goes on once nothing is to be filmed any more', () => {
  const gaps = filmed(fresh(), [0, 1000]);
  gaps.end();
  expect(gaps.totalUs(60_000)).toBe(0);
});

test('the next life goes on counting, with the time between', () => {
  const kept = filmed(fresh(), [0, 1000], [3000, 4000]).kept;
  expect(kept).toEqual({ gapUs: 2_000_000, endsAtMs: CLOCK + 4000 });
  const next = new FootageGaps(kept, 0);
  next.begin(500, CLOCK + 64_000);
  expect(next.totalUs(600)).toBe(62_000_000);
  expect(next.kept).toEqual({ gapUs: 62_000_000, endsAtMs: CLOCK + 64_000 });
});

test('a clock that was set back between two lives makes no gap', () => {
  const next = new FootageGaps({ gapUs: 5, endsAtMs: CLOCK }, 0);
  next.begin(500, CLOCK - 86_400_000);
  expect(next.totalUs(600)).toBe(5);
});

test('a life that films nothing keeps what was known', () => {
  const former = { gapUs: 5, endsAtMs: CLOCK };
  expect(new FootageGaps(former, 0).kept).toEqual(former);
});
