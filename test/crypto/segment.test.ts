import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CryptoErrorCode } from '../../crypto/errors.ts';
import { checkChain, openSegment } from '../../crypto/opener.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import {
  finishRecord,
  MAX_SEGMENT_RECORDS,
  RECORD_OVERHEAD,
  RECORD_TYPES,
  readRecord,
  writeRecordHeader,
} from '../../crypto/record.ts';
import { joined, makeSessionPair, sealSegment } from './camera.ts';

let pair: Awaited<ReturnType<typeof makeSessionPair>>;
beforeAll(async () => {
  pair = await makeSessionPair();
});

const open = (bytes: Uint8Array) => openSegment(bytes, pair.opened, nodePrimitives);
const seal = (count: number, sequence = 0, previous?: Uint8Array) =>
  sealSegment(
    pair.begun,
    pair.signer,
    Array.from({ length: count }, (_, i) => randomBytes(300 + i)),
    sequence,
    previous,
  );

async function refusal(bytes: Uint8Array): Promise<CryptoErrorCode | undefined> {
  try {
    await open(bytes);
    return undefined;
  } catch (error) {
    return (error as { code: CryptoErrorCode }).code;
  }
}

test('what was sealed opens, to the byte', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 6 }), async (fragments) => {
      const { bytes } = await sealSegment(pair.begun, pair.signer, fragments);
      const opened = await open(bytes);
      expect(opened.verdict).toBe('complete');
      expect(opened.fragments.map((fragment) => [...fragment.bytes])).toEqual(fragments.map((f) => [...f]));
      expect(opened.durationUs).toBe(fragments.length * 200_000);
    }),
    { numRuns: 30 },
  );
});

test('a segment without its closing record is open, never complete', async () => {
  const { sealer, frames } = await seal(3);
  for (let kept = 0; kept < frames.length; kept++) {
    expect((await open(joined(sealer.header, frames.slice(0, kept)))).verdict).toBe('open');
  }
});

test('cut at any byte, a segment is open at best and gives only whole records', async () => {
  const { bytes, frames } = await seal(2);
  for (let length = 72; length < bytes.length; length++) {
    const opened = await open(bytes.subarray(0, length));
    expect(opened.verdict).toBe('open');
    expect(opened.records).toBeLessThan(frames.length);
  }
  expect(await refusal(bytes.subarray(0, 71))).toBe('HEADER_MALFORMED');
});

test('one flipped bit anywhere is refused', async () => {
  const { bytes } = await seal(2);
  const codes = new Set<string>();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = Uint8Array.from(bytes);
    altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
    const code = await refusal(altered);
    expect(code === undefined ? `bit ${bit} passed` : '').toBe('');
    codes.add(code as string);
  }
  expect([...codes].sort()).toEqual([
    'CAMERA_FOREIGN',
    'HEADER_MALFORMED',
    'RECORD_CORRUPT',
    'RECORD_MISPLACED',
    'SEGMENT_FOREIGN',
  ]);
});

test('one flipped bit under a checksum made anew is refused by the tag', async () => {
  const { sealer, frames } = await seal(1);
  const frame = Uint8Array.from(frames[1]?.bytes as Uint8Array);
  for (let byte = 21; byte < frame.length - 4; byte++) {
    const altered = Uint8Array.from(frame);
    altered[byte] = (altered[byte] as number) ^ 1;
    finishRecord(altered, nodePrimitives.crc32);
    const swapped = [frames[0], { bytes: altered }, frames[2]] as typeof frames;
    expect(await refusal(joined(sealer.header, swapped))).toBe('RECORD_FORGED');
  }
});

describe('records moved about are refused', () => {
  type Frames = Awaited<ReturnType<typeof seal>>['frames'];
  const cases: [string, CryptoErrorCode, (own: Frames, other: Frames) => unknown[]][] = [
    ['removed', 'RECORD_MISPLACED', (f) => [f[0], f[2], f[3], f[4]]],
    ['removed at the end', 'RECORD_MISPLACED', (f) => [f[0], f[1], f[2], f[4]]],
    ['repeated', 'RECORD_MISPLACED', (f) => [f[0], f[1], f[1], f[2], f[3], f[4]]],
    ['swapped', 'RECORD_MISPLACED', (f) => [f[0], f[2], f[1], f[3], f[4]]],
    ['spliced in from another segment', 'RECORD_MISPLACED', (f, o) => [f[0], o[1], f[2], f[3], f[4]]],
    ['after the end', 'RECORD_TRAILING', (f) => [...f, f[1]]],
  ];
  test.each(cases)('%s [TM-11]', async (_, code, arrange) => {
    const own = await seal(3);
    const other = await seal(3, 1);
    const bytes = joined(own.sealer.header, arrange(own.frames, other.frames) as Frames);
    expect(await refusal(bytes)).toBe(code);
  });

  test('spliced in and dressed up as its own', async () => {
    const own = await seal(2);
    const other = await seal(2, 1);
    const stranger = Uint8Array.from(other.frames[1]?.bytes as Uint8Array);
    stranger.set(own.frames[1]?.bytes.subarray(0, 21) as Uint8Array);
    finishRecord(stranger, nodePrimitives.crc32);
    const frames = [own.frames[0], { bytes: stranger }, own.frames[2], own.frames[3]] as Frames;
    expect(await refusal(joined(own.sealer.header, frames))).toBe('RECORD_FORGED');
  });

  test('a closing record cannot be had by cutting: the last but one frame under its nonce [TM-39]', async () => {
    const own = await seal(2);
    const fragment = Uint8Array.from(own.frames[2]?.bytes as Uint8Array);
    fragment.set([0, 0, 0, 0, 2], 12);
    new DataView(fragment.buffer).setUint32(17, nodePrimitives.crc32(fragment.subarray(0, 17)));
    finishRecord(fragment, nodePrimitives.crc32);
    const frames = [own.frames[0], own.frames[1], { bytes: fragment }] as Frames;
    expect(await refusal(joined(own.sealer.header, frames))).toBe('RECORD_FORGED');
  });
});

/** Records of no payload, in turn: what costs a server nothing to write and an opener memory to split. */
function emptyRecords(headerHash: Uint8Array, count: number): Uint8Array {
  const { crc32 } = nodePrimitives;
  const bytes = new Uint8Array(count * RECORD_OVERHEAD);
  for (let counter = 0; counter < count; counter++) {
    const frame = bytes.subarray(counter * RECORD_OVERHEAD, (counter + 1) * RECORD_OVERHEAD);
    const type = counter === 0 ? RECORD_TYPES.opening : RECORD_TYPES.fragment;
    writeRecordHeader(frame, headerHash, counter, 0, type, crc32);
    finishRecord(frame, crc32);
  }
  return bytes;
}

test.each([
  [MAX_SEGMENT_RECORDS, 'RECORD_FORGED'],
  [MAX_SEGMENT_RECORDS + 1, 'RECORD_MALFORMED'],
])('%d records without a tag: %s', async (count, code) => {
  const { sealer } = await seal(0);
  const records = emptyRecords(sealer.headerHash, count);
  expect(await refusal(Buffer.concat([sealer.header, records]))).toBe(code);
});

test('segments follow each other, and a gap between two shows', async () => {
  const first = await seal(1, 0);
  const second = await seal(1, 1, first.sealer.digest);
  const third = await seal(1, 2, second.sealer.digest);
  const [a, b, c] = await Promise.all([open(first.bytes), open(second.bytes), open(third.bytes)]);
  expect(() => checkChain(a, b)).not.toThrow();
  expect(() => checkChain(b, c)).not.toThrow();
  expect(() => checkChain(a, c)).toThrow(expect.objectContaining({ code: 'CHAIN_BROKEN' }));
});

test('[FC-35] segment 0 that names a digest before it is refused', async () => {
  const named = await seal(1, 0, new Uint8Array(32).fill(1));
  const none = await seal(1, 0, new Uint8Array(32));
  expect([await refusal(named.bytes), await refusal(none.bytes)]).toEqual(['CHAIN_BROKEN', undefined]);
});

test('a segment of another session is refused, though the camera is the same', async () => {
  const stranger = await makeSessionPair();
  const { bytes } = await sealSegment(stranger.begun, stranger.signer, [randomBytes(10)]);
  expect(await refusal(bytes)).toBe('SEGMENT_FOREIGN');
});

test('the sealer never seals after its end or after a failure [KEY-04 destroyed]', async () => {
  const { sealer } = await seal(1);
  expect(() => sealer.sealFragment(randomBytes(5), 1)).toThrow(
    expect.objectContaining({ code: 'SEALER_ENDED' }),
  );
  expect(() => sealer.close(undefined, true)).toThrow(expect.objectContaining({ code: 'SEALER_ENDED' }));
});

test('frames: any bytes are read, wanted more of, or refused by a code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const frame = readRecord(bytes, 0, nodePrimitives.crc32);
        expect(frame === undefined || frame.length <= bytes.length).toBe(true);
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^RECORD_(MALFORMED|CORRUPT)$/);
      }
    }),
  );
});
