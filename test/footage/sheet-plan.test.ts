import fc from 'fast-check';
import { type Moment, planSheet, type SheetPlan } from '../../footage/sheet-plan.ts';

const snapshot = (timeMs: number) => ({ kind: 'snapshot', timeMs }) as const;
const segment = (timeMs: number, lastsMs = 4_000) =>
  ({ kind: 'segment', timeMs, endMs: timeMs + lastsMs }) as const;
const SECOND = 1000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A sheet in words: `snapshot 0`, `segment 4000`, `gap 8000-12000`. */
const words = ({ tiles }: SheetPlan<Moment>) =>
  tiles.map((tile) =>
    tile.kind === 'gap' ? `gap ${tile.fromMs}-${tile.toMs}` : `${tile.moment.kind} ${tile.moment.timeMs}`,
  );

test.each<[string, Moment[], number, string[]]>([
  ['nothing', [], 60, []],
  ['one snapshot', [snapshot(7)], 60, ['snapshot 7']],
  ['one segment, once', [segment(0)], 60, ['segment 0']],
  [
    'a segment each',
    [segment(0), segment(4_000), segment(8_000)],
    60,
    ['segment 0', 'segment 4000', 'segment 8000'],
  ],
  [
    'segments a little short',
    [segment(0, 3_990), segment(3_990), segment(7_990)],
    60,
    ['segment 0', 'segment 3990', 'segment 7990'],
  ],
  [
    'a snapshot rather than a keyframe',
    [segment(0), snapshot(1_000), segment(4_000)],
    60,
    ['snapshot 1000', 'segment 4000'],
  ],
  ['a gap as one', [segment(0), segment(40_000)], 60, ['segment 0', 'gap 4000-40000', 'segment 40000']],
  ['a long segment once', [segment(0, 20_000), segment(20_000)], 60, ['segment 0', 'segment 20000']],
  ['in whatever order', [segment(4_000), segment(0)], 60, ['segment 0', 'segment 4000']],
  [
    'few pictures of much',
    [0, 1, 2, 3, 4, 5].map((n) => segment(n * 4_000)),
    2,
    ['segment 0', 'segment 20000'],
  ],
])('shows %s', (_, moments, most, expected) => {
  expect(words(planSheet(moments, most))).toEqual(expected);
});

test.each([
  [10 * SECOND, 60, 4 * SECOND],
  [239 * SECOND, 60, 4 * SECOND],
  [240 * SECOND, 60, 10 * SECOND],
  [HOUR, 60, 2 * MINUTE],
  [23 * HOUR, 60, 30 * MINUTE],
  [365 * 24 * HOUR, 60, 7 * 24 * HOUR],
  [HOUR, 1, 2 * HOUR],
])('%d ms on at most %d tiles are shown every %d ms', (spanMs, most, stepMs) => {
  expect(planSheet([snapshot(0), snapshot(spanMs)], most).stepMs).toBe(stepMs);
});

test('whatever there is, there are no more tiles than asked for, in order, and none shown twice', () => {
  const moment = fc.oneof(
    fc.nat({ max: 1e9 }).map(snapshot),
    fc
      .tuple(fc.nat({ max: 1e9 }), fc.integer({ min: -5000, max: 20_000 }))
      .map(([at, lasts]) => segment(at, lasts)),
  );
  fc.assert(
    fc.property(fc.array(moment, { maxLength: 40 }), fc.integer({ min: 1, max: 80 }), (moments, most) => {
      const { tiles } = planSheet(moments, most);
      expect(tiles.length).toBeLessThanOrEqual(most);
      expect(tiles.length > 0).toBe(moments.length > 0);
      const shown = tiles.flatMap((tile) => (tile.kind === 'picture' ? [tile.moment] : []));
      expect(new Set(shown).size).toBe(shown.length);
      expect(tiles.every((tile, index) => tile.kind !== 'gap' || tiles[index - 1]?.kind !== 'gap')).toBe(
        true,
      );
    }),
  );
});
