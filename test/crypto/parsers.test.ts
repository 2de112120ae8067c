import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CLOSING_LENGTH, readClosing } from '../../crypto/closing.ts';
import { FieldReader } from '../../crypto/fields.ts';
import { parseSegmentHeader, readSessionHeader } from '../../crypto/header.ts';
import { MARK_PAYLOAD_LENGTH, makeMarkRecord, readMark } from '../../crypto/mark.ts';
import { openSegment } from '../../crypto/opener.ts';
import { encodeOpeningRecord, readOpeningRecord } from '../../crypto/opening-record.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeSessionPair, sealSegment } from './camera.ts';
import { refusalOf } from './refusal.ts';

/** Lets every signature through, so that what lies behind is reached. */
const believing = { ...nodePrimitives, ecdsaVerify: () => true };
const hash = new Uint8Array(32);
const point = new Uint8Array(65);
const place = { headerHash: hash, at: 72 };

const readers: Record<string, (bytes: Uint8Array) => unknown> = {
  readSessionHeader: (bytes) => readSessionHeader(bytes, nodePrimitives),
  'readSessionHeader, believing': (bytes) => readSessionHeader(bytes, believing),
  parseSegmentHeader,
  readOpeningRecord,
  readClosing: (bytes) => readClosing(bytes, hash, point, nodePrimitives),
  'readClosing, believing': (bytes) => readClosing(bytes, hash, point, believing),
  readMark: (bytes) => readMark(bytes, place, point, nodePrimitives),
  'readMark, believing': (bytes) => readMark(bytes, place, point, believing),
};

let pair: Awaited<ReturnType<typeof makeSessionPair>>;
/** What each reader reads without complaint. */
const good: Record<string, Uint8Array> = {};
let segment: Uint8Array;

beforeAll(async () => {
  pair = await makeSessionPair();
  segment = (await sealSegment(pair.begun, pair.signer, [new Uint8Array(40), new Uint8Array(50)])).bytes;
  const mark = {
    kind: 'cut',
    placed: true,
    vouchedRecords: 3,
    vouchedDigest: hash,
    lostUs: 5,
    timeMs: 6,
  } as const;
  const markRecord = makeMarkRecord(mark, place, pair.signer, nodePrimitives.crc32);
  good.readSessionHeader = pair.begun.header;
  good.parseSegmentHeader = segment;
  good.readOpeningRecord = encodeOpeningRecord({
    run: new Uint8Array(8),
    timescale: 12_800,
    decodeTime: 1,
    codecs: 'avc1.64001f',
    init: new Uint8Array(30),
  });
  good.readClosing = new Uint8Array(CLOSING_LENGTH);
  good.readMark = markRecord.subarray(21, 21 + MARK_PAYLOAD_LENGTH);
});

const anyBytes = fc.uint8Array({ maxLength: 400 });
/** A change to bytes: some of them overwritten, and the end cut off or something hung on. */
const damage = fc.record({
  writes: fc.array(fc.tuple(fc.nat({ max: 500 }), fc.nat({ max: 255 })), { maxLength: 6 }),
  cut: fc.option(fc.nat({ max: 500 })),
  tail: fc.uint8Array({ maxLength: 20 }),
});

function damaged(
  bytes: Uint8Array,
  { writes, cut, tail }: { writes: [number, number][]; cut: number | null; tail: Uint8Array },
): Uint8Array {
  const altered = Uint8Array.from(bytes);
  for (const [at, value] of writes) if (at < altered.length) altered[at] = value;
  return Buffer.concat([altered.subarray(0, cut ?? altered.length), tail]);
}

describe.each(Object.entries(readers))('%s', (name, read) => {
  test('any bytes are read or refused by a code', async () => {
    await fc.assert(
      fc.asyncProperty(anyBytes, async (bytes) => {
        await refusalOf(() => read(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test('good bytes, damaged, are read or refused by a code', async () => {
    const whole = good[name.split(',')[0] as string] as Uint8Array;
    await fc.assert(
      fc.asyncProperty(damage, async (change) => {
        await refusalOf(() => read(damaged(whole, change)));
      }),
      { numRuns: 300 },
    );
  });
});

test('what the damage is done to is read without complaint: it reaches the depths', async () => {
  for (const name of ['readSessionHeader', 'parseSegmentHeader', 'readOpeningRecord']) {
    expect(await refusalOf(() => readers[name]?.(good[name] as Uint8Array))).toBeUndefined();
  }
  for (const name of ['readClosing', 'readMark']) {
    const read = readers[`${name}, believing`];
    expect(await refusalOf(() => read?.(good[name] as Uint8Array))).toBeUndefined();
  }
});

test('a damaged segment is opened for less, or refused by a code; never opened for more', async () => {
  await fc.assert(
    fc.asyncProperty(damage, async (change) => {
      const bytes = damaged(segment, change);
      await refusalOf(async () => {
        const opened = await openSegment(bytes, pair.opened, nodePrimitives);
        const untouched = Buffer.compare(bytes, segment) === 0;
        expect(opened.verdict === 'complete').toBe(untouched);
      });
    }),
    { numRuns: 500 },
  );
});

test('what is read is a copy, of a Buffer too', async () => {
  const whole = Buffer.from(pair.begun.header);
  const { id, fixed, wraps } = await readSessionHeader(whole, nodePrimitives);
  const before = [id, fixed, wraps[0]?.enc].map(String);
  whole.fill(0);
  expect([id, fixed, wraps[0]?.enc].map(String)).toEqual(before);
});

test('a field reader gives fields of the bytes, or a RangeError past their end, and nothing else', () => {
  const step = fc.oneof(
    fc.constantFrom('u8' as const, 'u16' as const, 'u32' as const, 'u64' as const),
    fc.nat({ max: 40 }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(step, { maxLength: 12 }), (bytes, steps) => {
      const padded = Buffer.concat([Buffer.alloc(3, 0xee), bytes, Buffer.alloc(50, 0xee)]);
      const fields = new FieldReader(padded.subarray(3, 3 + bytes.length));
      try {
        for (const next of steps) {
          if (typeof next === 'number') expect(fields.raw(next)).toHaveLength(next);
          else expect(Number.isSafeInteger(fields[next]())).toBe(true);
          expect(fields.offset).toBeLessThanOrEqual(bytes.length);
        }
      } catch (error) {
        expect((error as Error).name).toBe('RangeError');
      }
    }),
  );
});
