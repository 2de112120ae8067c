import fc from 'fast-check';
import {
  backlogYields,
  liveJumps,
  pickBacklog,
  pickLive,
  retryDelayMs,
  stallLimitMs,
} from '../../agent/uplink/lane-rules.ts';
import { listingFault } from '../../agent/uplink/orphaned-segments.ts';
import { allowedLines, LineReader, parseProgressLine, progressFault } from '../../agent/uplink/progress.ts';
import { afterRefusal, endsWithAllOf, judgeOffset } from '../../agent/uplink/refusal-rules.ts';
import { UnreceivedAges } from '../../agent/uplink/uplink-stats.ts';
import { REFUSAL_CODES, type RefusalCode } from '../../wire/refusal.ts';

describe('retry', () => {
  test.each([
    [1, 0, 125],
    [1, 1, 250],
    [2, 1, 500],
    [3, 0.5, 750],
    [7, 1, 16_000],
    [8, 1, 30_000],
    [100, 1, 30_000],
    [5000, 0.5, 22_500],
  ])('after %i failures, at %f of the range: %i ms', (failures, random, delay) => {
    expect(retryDelayMs(failures, random)).toBe(delay);
  });

  test.each([
    [0, 10_000],
    [1, 20_000],
    [3, 80_000],
    [4, 120_000],
    [100, 120_000],
  ])('after %i stalls a silent server is waited for %i ms', (stalls, limit) => {
    expect(stallLimitMs(stalls, 10_000)).toBe(limit);
  });
});

describe('refusals', () => {
  type Row = readonly [first: string, third: string, firstOfSuspect: string];
  const table: Record<RefusalCode | 'PROTOCOL_VIOLATED', Row> = {
    PROTOCOL_VIOLATED: ['retry', 'aside', 'aside'],
    ROUTE_UNKNOWN: ['retry', 'aside', 'aside'],
    METHOD_REFUSED: ['retry', 'aside', 'aside'],
    REQUEST_MALFORMED: ['retry', 'aside', 'aside'],
    HEADER_REFUSED: ['retry', 'park', 'park'],
    CAMERA_FOREIGN: ['retry', 'park', 'park'],
    SESSION_UNKNOWN: ['announce', 'aside', 'announce'],
    SESSION_CONFLICT: ['retry', 'park', 'park'],
    OFFSET_CONFLICT: ['resume', 'aside', 'resume'],
    SEGMENT_ENDED: ['confirm', 'park', 'confirm'],
    RECORD_REFUSED: ['retry', 'park', 'park'],
    BODY_OVERSIZED: ['retry', 'park', 'park'],
    BODY_LATE: ['retry', 'aside', 'aside'],
    BODY_SLOW: ['retry', 'aside', 'aside'],
    BODY_ENDLESS: ['retry', 'aside', 'aside'],
    UPLOAD_SUPERSEDED: ['retry', 'aside', 'aside'],
    CERTIFICATE_REQUIRED: ['retry', 'retry', 'retry'],
    CERTIFICATE_EXPIRED: ['retry', 'retry', 'retry'],
    CAMERA_UNKNOWN: ['retry', 'retry', 'retry'],
    CAMERA_REVOKED: ['retry', 'retry', 'retry'],
    CLAIM_UNKNOWN: ['retry', 'aside', 'aside'],
    CLAIM_EXPIRED: ['retry', 'aside', 'aside'],
    CLAIM_USED: ['retry', 'aside', 'aside'],
    CLAIM_THROTTLED: ['retry', 'aside', 'aside'],
    REQUEST_REFUSED: ['retry', 'aside', 'aside'],
    CLOCK_WRONG: ['retry', 'aside', 'aside'],
    POLICY_NONE: ['retry', 'aside', 'aside'],
    RATE_EXCEEDED: ['retry', 'retry', 'retry'],
    QUOTA_EXCEEDED: ['retry', 'retry', 'retry'],
    STORAGE_FULL: ['retry', 'aside', 'aside'],
    STORAGE_FAILED: ['retry', 'aside', 'aside'],
  };
  test.each(['PROTOCOL_VIOLATED', ...REFUSAL_CODES] as const)('%s', (code) => {
    expect([afterRefusal(code, 1, false), afterRefusal(code, 3, false), afterRefusal(code, 1, true)]).toEqual(
      table[code],
    );
    expect(afterRefusal(code, 2, false)).toBe(table[code][0]);
  });

  test.each([
    ['ended', 200, true],
    ['ended', 199, false],
    ['ended', 201, false],
    ['ended', 0, false],
    ['cut', 342, true],
    ['cut', 200, false],
    ['cut', 142, false],
    ['dropped', 342, true],
    ['dropped', 200, false],
    ['open', 200, false],
    ['open', 342, false],
  ] as const)('%s, held up to 200, ended at the server at %i: all of it %s', (state, durable, whole) => {
    expect(endsWithAllOf({ base: 100, end: 200, state }, durable)).toBe(whole);
  });

  test.each([
    ['open', 100, 'resume'],
    ['open', 150, 'resume'],
    ['open', 200, 'resume'],
    ['open', 99, 'lost'],
    ['open', 201, 'impossible'],
    ['ended', 201, 'impossible'],
    ['ended', 0, 'lost'],
    ['cut', 201, 'resume'],
    ['cut', 99, 'lost'],
    ['dropped', 201, 'resume'],
  ] as const)('%s, held from 100 to 200, at the server %i: %s', (state, offset, action) => {
    expect(judgeOffset({ base: 100, end: 200, state }, offset)).toBe(action);
  });
});

describe('lanes', () => {
  const open = { state: 'open', base: 0, end: 72 } as const;
  const bare = { state: 'open', base: 72, end: 72 } as const;
  const ended = { state: 'ended', base: 0, end: 72 } as const;
  const cut = { state: 'cut', base: 72, end: 72 } as const;
  type Case = (typeof open | typeof bare | typeof ended | typeof cut)[];
  test.each<[string, Case, number | undefined, number | undefined]>([
    ['nothing', [], undefined, undefined],
    ['one that grows', [open], 0, undefined],
    ['one that grows, all durable', [bare], undefined, undefined],
    ['old ones and one that grows', [{ ...ended }, { ...ended }, open], 2, 0],
    ['the last has ended', [{ ...ended }, { ...ended }], undefined, 0],
    ['a cut one with only its mark to come', [cut, open], 1, 0],
  ])('%s', (_name, segments, live, backlog) => {
    const index = (picked: (typeof segments)[number] | undefined) => picked && segments.indexOf(picked);
    const free = () => false;
    expect(index(pickLive(segments, free))).toBe(live);
    expect(index(pickBacklog(segments, free, free))).toBe(backlog);
  });

  test('what the other lane has is passed over', () => {
    const segments = [{ ...ended }, { ...ended }, open];
    const none = () => false;
    expect(pickBacklog(segments, (segment) => segment === segments[0], none)).toBe(segments[1]);
    expect(pickLive(segments, (segment) => segment === open)).toBeUndefined();
  });

  test('what was refused before comes after all others', () => {
    const [first, second, third] = [{ ...ended }, { ...ended }, { ...cut }];
    const segments = [first, second, third, open];
    const none = () => false;
    const [firstTwo, all] = [[first, second] as object[], [first, second, third] as object[]];
    expect(pickBacklog(segments, none, (segment) => firstTwo.includes(segment))).toBe(third);
    expect(pickBacklog(segments, none, (segment) => all.includes(segment))).toBe(first);
    expect(
      pickBacklog(
        segments,
        (segment) => segment !== first,
        (segment) => segment === first,
      ),
    ).toBe(first);
  });

  test.each([
    [false, 0, 0, false],
    [false, 9000, 9000, false],
    [true, 0, 0, false],
    [true, 2000, 2000, false],
    [true, 2001, 0, true],
    [true, 0, 2001, true],
  ])(
    'newer begun %s, behind %i ms, newer waiting %i ms: jump %s',
    (newerBegun, unreceivedMs, newerWaitingMs, jump) => {
      expect(liveJumps({ newerBegun, unreceivedMs, newerWaitingMs }, 2000)).toBe(jump);
    },
  );

  test.each([
    [0, false],
    [1000, false],
    [1001, true],
  ])('live behind by %i ms: backlog yields %s', (behind, yields) => {
    expect(backlogYields(behind, 1000)).toBe(yields);
  });

  test('ages follow what was received', () => {
    const ages = new UnreceivedAges(100, 1000);
    ages.appended(200, 1500);
    ages.appended(200, 1900);
    expect(ages.oldestMs(2000)).toBe(1000);
    ages.received(99);
    expect(ages.oldestMs(2000)).toBe(1000);
    ages.received(100);
    expect(ages.oldestMs(2000)).toBe(500);
    ages.received(200);
    expect(ages.oldestMs(2000)).toBe(0);
    for (let count = 1; count <= 500; count++) ages.appended(200 + count, 2000 + count);
    ages.received(699);
    expect(ages.oldestMs(3000)).toBeGreaterThanOrEqual(500);
    ages.received(700);
    expect(ages.oldestMs(3000)).toBe(0);
  });
});

describe('what the server lists as unfinished', () => {
  const hash = new Uint8Array(32).fill(7);
  const header = (sequence: number) => ({ sequence, sessionHash: hash });
  test.each([
    ['fits', 5, header(5), false, undefined],
    ['is the last that a session can have', 4095, header(4095), false, undefined],
    ['is beyond it', 4096, header(4096), false, 'no session has a segment 4096'],
    ['has another header', 5, header(6), false, 'the header listed is that of segment 6'],
    [
      'has a header of a session known here',
      5,
      header(5),
      true,
      'the header listed is of a session known here',
    ],
  ])('%s', (_name, sequence, listed, known, fault) => {
    const isOurs = (asked: string) => known && asked === '07'.repeat(32);
    expect(listingFault({ sequence }, listed, isOurs)).toBe(fault);
  });
});

describe('progress', () => {
  const before = { sent: 500, received: 300, durable: 200, whole: false };
  const line = { received: 300, durable: 200, ended: false };
  test.each([
    [before, line, true],
    [before, { ...line, received: 500, durable: 500 }, true],
    [before, { ...line, received: 501 }, false],
    [before, { ...line, durable: 301 }, false],
    [before, { ...line, received: 299 }, false],
    [before, { ...line, durable: 199 }, false],
    [before, { received: 500, durable: 500, ended: true }, false],
    [{ ...before, whole: true }, { received: 500, durable: 500, ended: true }, true],
    [{ ...before, whole: true }, { received: 500, durable: 499, ended: true }, false],
  ])('%j, then %j: possible %s', (position, said, possible) => {
    expect(progressFault(position, said) === undefined).toBe(possible);
  });

  test.each([
    ['the first line', { told: false, ended: false, end: false }, true],
    ['a line told before', { told: true, ended: false, end: false }, false],
    ['a line that tells the end', { told: true, ended: false, end: true }, true],
    ['the end told twice', { told: true, ended: true, end: true }, false],
  ])('[FC-24] %s, with the numbers known already: possible %s', (_, { told, ended, end }, possible) => {
    const at = { sent: 500, received: 500, durable: 500, whole: true, told, ended };
    expect(progressFault(at, { received: 500, durable: 500, ended: end }) === undefined).toBe(possible);
  });

  test.each([
    [{ elapsedMs: 0, writes: 0, bytes: 0 }, 64],
    [{ elapsedMs: 10_000, writes: 0, bytes: 0 }, 104],
    [{ elapsedMs: 0, writes: 100, bytes: 0 }, 264],
    [{ elapsedMs: 0, writes: 0, bytes: 4_194_304 }, 1088],
    // Four seconds of live video: a fragment of 100 KB each 200 ms.
    [{ elapsedMs: 4000, writes: 20, bytes: 2_000_000 }, 608],
  ])('[FC-24] after %j a server may have told %i lines [TM-29]', (answerable, lines) => {
    expect(allowedLines(answerable)).toBe(lines);
  });

  test('any text is a line of progress, a refusal, or refused [TM-26]', () => {
    const json = fc.json();
    const near = fc.record(
      { received: fc.anything(), durable: fc.anything(), ended: fc.anything(), code: fc.anything() },
      { requiredKeys: [] },
    );
    const text = fc.oneof(
      json,
      fc.string(),
      near.map((value) => JSON.stringify(value) ?? ''),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          const parsed = parseProgressLine(given);
          expect('code' in parsed || parsed.durable >= 0).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'PROTOCOL_VIOLATED' });
        }
      }),
    );
  });

  test('lines come out the same however the bytes are split', () => {
    const lines = fc.array(fc.string({ maxLength: 50 }).map((text) => text.replaceAll('\n', '')));
    fc.assert(
      fc.property(lines, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (given, sizes) => {
        const bytes = Buffer.from(given.map((text) => `${text}\n`).join(''));
        const reader = new LineReader(400);
        const read: string[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          read.push(...reader.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(read).toEqual(given.map((text) => Buffer.from(text).toString()));
      }),
    );
  });

  test.each([
    ['without its end', 'x'.repeat(101)],
    ['with its end', `${'x'.repeat(101)}\n`],
  ])('a line over the limit is refused %s', (_name, text) => {
    expect(() => new LineReader(100).push(Buffer.from(text))).toThrow('exceeds 100 bytes');
    expect(new LineReader(100).push(Buffer.from(`${'x'.repeat(100)}\n`))).toHaveLength(1);
  });
});
