import { summarize } from '../../cli/footage/summarize.ts';
import type { Inspected, TimeRange } from '../../footage/inspected.ts';
import { gapReport, MAX_GAP_LINES } from '../../footage/report.ts';
import { type Gap, Timeline } from '../../footage/timeline.ts';

/** Which time is a gap, and how it is said. */

const SECOND = 1000;
const ALWAYS: TimeRange = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
type Told = Parameters<Timeline['pass']>[0] | Inspected['verdict'];

/** A segment from one second to another. */
const segment = (
  from: number,
  to: number,
  lost = 0,
  verdict: 'complete' | 'cut' | 'open' = 'complete',
): Told => ({
  verdict,
  header: { timeMs: from * SECOND },
  durationUs: (to - from) * 1e6,
  mark: lost > 0 ? { lostUs: lost * 1e6 } : undefined,
});

/** The gaps in words: `8-20`, in seconds. */
function gapsIn(told: readonly Told[], range = ALWAYS): string[] {
  const timeline = new Timeline('door', range);
  for (const each of told) {
    if (typeof each === 'string') timeline.note({ opened: undefined });
    else timeline.pass(each);
  }
  return timeline.gaps.map(({ fromMs, toMs }) => `${fromMs / SECOND}-${toMs / SECOND}`);
}

describe('[FC-76] a gap is', () => {
  test.each<[string, Told[], string[]]>([
    ['nothing before or after all there is', [segment(4, 8)], []],
    ['not between segments that follow each other', [segment(0, 4), segment(4, 8)], []],
    ['nothing shorter than the wavering of arrival', [segment(0, 4), segment(4.299, 8)], []],
    ['what is as long as that', [segment(0, 4), segment(4.3, 8)], ['4-4.3']],
    ['each by itself', [segment(0, 4), segment(5, 8), segment(8, 9), segment(20, 24)], ['4-5', '9-20']],
    ['not where segments are missing', [segment(0, 4), 'missing', segment(20, 24)], []],
    ['not where something is refused', [segment(0, 4), 'refused', segment(20, 24)], []],
    ['not where the end of a session is not here', [segment(0, 4), 'open', segment(20, 24)], []],
    ['not behind a segment without an end', [segment(0, 4, 0, 'open'), segment(20, 24)], []],
    ['before a segment without an end', [segment(0, 4), segment(20, 24, 0, 'open')], ['4-20']],
    [
      'found again after what is missing',
      [segment(0, 4), 'missing', segment(9, 10), segment(20, 24)],
      ['10-20'],
    ],
    ['behind a segment that was cut', [segment(0, 4, 0, 'cut'), segment(20, 24)], ['4-20']],
    ['not what the camera says it lost', [segment(0, 4, 6, 'cut'), segment(20, 24)], ['10-20']],
    ['not where it lost all', [segment(0, 4, 16, 'cut'), segment(20, 24)], []],
    ['not where times go back', [segment(100, 104), segment(50, 54), segment(54, 58)], []],
    ['found by the clock as it was set', [segment(100, 104), segment(50, 54), segment(60, 64)], ['54-60']],
    ['not under a segment that goes on', [segment(0, 8), segment(4, 5), segment(8, 12)], []],
  ])('%s', (_, told, expected) => {
    expect(gapsIn(told)).toEqual(expected);
  });

  const told = [segment(0, 4), segment(20, 24)];
  test.each<[string, number, number, string[]]>([
    ['begins before them', 10, 30, ['10-20']],
    ['ends after them', 2, 10, ['4-10']],
    ['is all of them', 10, 11, ['10-11']],
    ['lies before them', 20, 30, []],
    ['lies after them', 0, 4, []],
  ])('of the times asked for where it %s', (_, from, to, expected) => {
    expect(gapsIn(told, { fromMs: from * SECOND, toMs: to * SECOND })).toEqual(expected);
  });
});

const gap = (fromMs: number, toMs: number, camera = 'a'.repeat(32)): Gap => ({ camera, fromMs, toMs });

describe('gaps are reported', () => {
  test('the oldest first, of all cameras, to the millisecond', () => {
    const { gaps, ...sums } = gapReport([gap(5_000, 6_000.4), gap(1_000, 3_000.4, 'b'.repeat(32))]);
    expect(gaps.map(({ from, to, seconds }) => [from, to, seconds])).toEqual([
      ['1970-01-01T00:00:01.000Z', '1970-01-01T00:00:03.000Z', 2],
      ['1970-01-01T00:00:05.000Z', '1970-01-01T00:00:06.000Z', 1],
    ]);
    // Two times 0.4 ms are no more than a millisecond in the sum.
    expect(sums).toMatchObject({ gapSeconds: 3.001, gapCount: 2, longestGap: { camera: 'b'.repeat(32) } });
  });

  test('in no more lines than a bound, of which the sums know nothing', () => {
    const many = Array.from({ length: MAX_GAP_LINES + 7 }, (_, index) =>
      gap(index * 2_000, index * 2_000 + 1_000),
    );
    const { gaps, gapCount, gapSeconds } = gapReport(many);
    expect([gaps.length, gapCount, gapSeconds]).toEqual([MAX_GAP_LINES, many.length, many.length]);
  });

  test('not at all where there is none', () => {
    expect(gapReport([])).toEqual({ gapSeconds: 0, gapCount: 0, gaps: [] });
  });
});

describe('[FC-76] the last line says', () => {
  const COUNTS = { complete: 0, cut: 0, open: 0, missing: 0, refused: 0 };
  const line = (gaps: readonly Gap[], cameras = 1) =>
    summarize({
      verdict: 'complete',
      counts: { ...COUNTS, complete: 4 },
      openedSeconds: 16,
      ...{
        openedBytes: 0,
        records: 0,
        droppedSeconds: 0,
        snapshots: 0,
        absentSnapshots: [],
        refusedPictures: [],
      },
      cameras: Array.from({ length: cameras }, () => ({
        camera: 'a',
        name: '',
        sessions: 1,
        earlier: false,
      })),
      ...gapReport(gaps),
    });

  test.each<[string, Gap[], number, string]>([
    ['complete alone where all was filmed', [], 1, 'segments: 4 complete; 16.0 s open'],
    [
      'where one gap is',
      [gap(1_000, 3_500)],
      1,
      'segments: 4 complete; nothing was filmed for 2.5 s in 1 gap, from 1970-01-01T00:00:01.000Z; 16.0 s open',
    ],
    [
      'how many there are, and the longest',
      [gap(1_000, 3_500), gap(8_000, 17_800)],
      1,
      'segments: 4 complete; nothing was filmed for 12.3 s in 2 gaps, the longest 9.8 s from 1970-01-01T00:00:08.000Z; 16.0 s open',
    ],
    [
      'of which camera, among several',
      [gap(1_000, 3_500)],
      2,
      'segments: 4 complete; nothing was filmed for 2.5 s in 1 gap, from 1970-01-01T00:00:01.000Z of camera aaaaaaaa; 16.0 s open',
    ],
  ])('%s', (_, gaps, cameras, expected) => {
    expect(line(gaps, cameras)).toBe(expected);
  });
});
