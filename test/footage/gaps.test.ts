import fc from 'fast-check';
import { MAX_SESSION_SEGMENTS, PREVIOUS_UNKNOWN } from '../../crypto/header.ts';
import { gapsBetween, lengthOf } from '../../footage/gaps.ts';
import { MadeFootage, type SessionOptions } from './footage-maker.ts';

/** What is missing is told, whatever is laid down where it belongs. */

const WHOLE: SessionOptions = { number: 1, segments: ['next', 'next', 'final'] };
const NONE = { complete: 0, cut: 0, open: 0, missing: 0, refused: 0 };

describe('gaps', () => {
  test.each<[string, number, number, number[], string]>([
    ['nothing there', 2, 8, [], '2-8'],
    ['one in the middle', 2, 8, [5], '2-4 6-8'],
    ['both ends', 2, 8, [8, 2], '3-7'],
    ['all', 2, 4, [2, 3, 4], ''],
    ['what lies beyond', 2, 4, [1, 5, 9], '2-4'],
    ['one twice', 2, 4, [3, 3], '2-2 4-4'],
    ['no row', 5, 4, [], ''],
    ['the longest', 0, Number.MAX_SAFE_INTEGER - 1, [], `0-${Number.MAX_SAFE_INTEGER - 1}`],
  ])('%s', (_, first, last, present, expected) => {
    const gaps = gapsBetween(first, last, present);
    expect(gaps.map((gap) => `${gap.first}-${gap.last}`).join(' ')).toBe(expected);
  });

  test('are the numbers that are not there, each once, in order', () => {
    const number = fc.nat({ max: 30 });
    fc.assert(
      fc.property(number, number, fc.array(number), (first, last, present) => {
        const gaps = gapsBetween(first, last, present);
        const absent = gaps.flatMap((gap) =>
          Array.from({ length: lengthOf(gap) }, (_, at) => gap.first + at),
        );
        const row = Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
        expect(absent).toEqual(row.filter((one) => !present.includes(one)));
      }),
    );
  });
});

async function verified(
  sessions: readonly SessionOptions[],
  change: (footage: MadeFootage) => unknown = () => undefined,
) {
  const footage = await MadeFootage.of(...sessions);
  try {
    await change(footage);
    return await footage.verify();
  } finally {
    footage.remove();
  }
}

const lines = (report: Awaited<ReturnType<MadeFootage['verify']>>) =>
  report.segments
    .filter(({ verdict }) => verdict !== 'complete')
    .map(({ session, sequence, count = 1, verdict, code }) => {
      const name = session.startsWith('session') ? session : `${sequence}+${count}`;
      return [name, verdict, code].filter(Boolean).join(' ');
    });

describe('[FC-32] rubbish does not hide what is missing:', () => {
  const NINE = Array.from({ length: 9 }, (_, index) => ({ ...WHOLE, number: index + 1 }));
  const withhold = (footage: MadeFootage, ...numbers: number[]) => {
    for (const number of numbers) footage.session(number).remove();
  };
  test.each<[string, SessionOptions[], (footage: MadeFootage) => unknown, string[]]>([
    ['sessions', NINE, (f) => withhold(f, 2, 3, 4, 5, 6, 7, 8), ['sessions 2 to 8 missing']],
    [
      'sessions around a directory of rubbish',
      NINE,
      (f) => {
        withhold(f, 2, 3, 4, 5, 6, 7, 8);
        f.litter(5);
      },
      ['sessions 2 to 4 missing', 'sessions 6 to 8 missing', '0+1 refused HEADER_MALFORMED'],
    ],
    [
      'sessions before one whose header is spoiled',
      NINE,
      (f) => {
        withhold(f, 2, 3);
        f.session(4).spoilHeader();
      },
      ['sessions 2 to 3 missing', ...[0, 1, 2].map((sequence) => `${sequence}+1 refused SESSION_FORGED`)],
    ],
    [
      'the tail of a session, stated by the next, with rubbish between them',
      NINE.slice(0, 2),
      (f) => {
        f.session(1).keep(1);
        f.litter(1);
        f.litter(2);
      },
      ['1+2 missing', '0+1 refused HEADER_MALFORMED', '0+1 refused HEADER_MALFORMED'],
    ],
    [
      'the tail of the newest session, behind rubbish under the name of a segment',
      [WHOLE],
      (f) => {
        f.session(1).keep(1);
        f.session(1).litter(1);
      },
      ['1+1 refused HEADER_MALFORMED', '1+1 open'],
    ],
    [
      'segments around rubbish',
      [
        { number: 1, segments: Array.from({ length: 9 }, () => 'next' as const) },
        { ...WHOLE, number: 2 },
      ],
      (f) => {
        f.session(1).keep(1);
        f.session(1).litter(5);
      },
      ['5+1 refused HEADER_MALFORMED', '1+4 missing', '6+3 missing'],
    ],
    [
      'segments of a session that the key does not open',
      [
        { number: 1, segments: ['next', 'final'], dayKey: 1 },
        { ...WHOLE, number: 2 },
      ],
      (f) => {
        f.forgetDayKey(1);
        f.session(1).keep(1);
      },
      ['0+1 refused SESSION_KEY_MISSING', '1+1 missing'],
    ],
    [
      'the tail of a session, stated by one that the key does not open',
      [WHOLE, { ...WHOLE, number: 2, dayKey: 1 }],
      (f) => {
        f.forgetDayKey(1);
        f.session(1).keep(1);
      },
      ['1+2 missing', ...[0, 1, 2].map((sequence) => `${sequence}+1 refused SESSION_KEY_MISSING`)],
    ],
  ])('%s [TM-12]', async (_, sessions, change, expected) => {
    // Rubbish lies under a random id, so that it comes before or after a session of its number.
    expect(lines(await verified(sessions, change)).sort()).toEqual(expected.sort());
  });

  test('a session that follows one which the key does not open has to name it', async () => {
    const report = await verified(
      [
        WHOLE,
        { ...WHOLE, number: 2, dayKey: 1 },
        { ...WHOLE, number: 3, previousSession: new Uint8Array(32) },
      ],
      (f) => f.forgetDayKey(1),
    );
    expect(lines(report).filter((line) => line.includes('CHAIN_BROKEN'))).toHaveLength(3);
  });
});

test('[FC-33] what a signed header states costs one line, however much is missing [TM-15]', async () => {
  const { counts, segments } = await verified([
    { number: 1, segments: ['next'] },
    { ...WHOLE, number: 2, previousSegments: MAX_SESSION_SEGMENTS, previousDigest: new Uint8Array(32) },
    { ...WHOLE, number: 1_000_000_000 },
  ]);
  const sessions = 1_000_000_000 - 3;
  expect(counts).toEqual({ ...NONE, complete: 7, missing: MAX_SESSION_SEGMENTS - 1 + sessions });
  expect(segments).toHaveLength(7 + 2);
});

test('[FC-33] a signed header that states more segments than a session has is refused', async () => {
  const report = await verified([
    { number: 1, segments: ['next', 'final'] },
    { ...WHOLE, number: 2, previousSegments: PREVIOUS_UNKNOWN - 1 },
  ]);
  expect(report.counts).toEqual({ ...NONE, complete: 2, refused: 3 });
  expect(new Set(report.segments.map(({ code }) => code))).toEqual(new Set([undefined, 'HEADER_MALFORMED']));
});

describe('[FC-37] records taken away before the mark of a segment of which nothing is vouched for', () => {
  test.each([
    ['show', true, 'MARK_FORGED'],
    ['do not show where the mark is of a kind that does not say its place', false, undefined],
  ])('%s', async (_, placed, code) => {
    const footage = await MadeFootage.of(WHOLE, { number: 2, segments: [] });
    try {
      await footage.session(2).addMarked({ kind: 'cut', placed }, 4);
      const whole = await footage.verify();
      expect(whole.segments.at(-1)).toMatchObject({ verdict: 'cut', records: 5, vouchedRecords: 0, placed });
      footage.session(2).takeRecords(0, 3);
      const { segments, counts } = await footage.verify();
      expect(segments.at(-1)?.code).toBe(code);
      expect(counts).toEqual({ ...NONE, complete: 3, ...(placed ? { refused: 1 } : { cut: 1 }) });
    } finally {
      footage.remove();
    }
  });
});
