import fc from 'fast-check';
import { parseFragment, readFragment } from '../../media/fragment.ts';
import { DEFAULT_LIMITS, Fragmenter } from '../../media/fragmenter.ts';
import { parseInit } from '../../media/init.ts';
import { Joiner } from '../../media/joiner.ts';
import { box, concat, u32s } from '../../media/writer.ts';
import { encodedWithSound } from './recordings.ts';
import { allBoxes, changed, chunksAt, feed, join, rawBox, split } from './stream.ts';

const stream = encodedWithSound();
const { init, fragments } = split(stream);
const fragment = fragments[0]?.bytes as Uint8Array;
const placeOf = (type: string) => allBoxes(fragment).find((box) => box.type === type)?.body as number;

/** One header, and whatever a longest box or two may leave. */
const HELD_AT_MOST = DEFAULT_LIMITS.pending + 16;

const media = (code: string) => expect.objectContaining({ name: 'MediaError', code });

/** A stream of the init segment and one fragment that was tampered with. */
const tampered = (change: (view: DataView, bytes: Uint8Array) => void) =>
  join(init.bytes, changed(fragment, change));

function* forever(...starts: Uint8Array[]): Generator<Uint8Array> {
  yield* starts;
  const zeros = new Uint8Array(64 << 10);
  for (;;) yield zeros;
}

describe('rubbish and wrong order', () => {
  const moov = init.bytes.subarray(allBoxes(init.bytes).find(({ type }) => type === 'moov')?.start);
  const mdat = fragment.subarray(placeOf('mdat') - 8);

  test.each<[string, string, Uint8Array]>([
    ['text', 'BOX_TYPE', new TextEncoder().encode('[error] no such device\n')],
    ['zeros', 'BOX_TYPE', new Uint8Array(100)],
    ['rubbish after a fragment', 'BOX_TYPE', join(init.bytes, fragment, new Uint8Array(8).fill(0x41))],
    ['moov first', 'BOX_ORDER', moov],
    ['a fragment first', 'BOX_ORDER', fragment],
    ['free first', 'BOX_ORDER', rawBox('free', 8)],
    ['mdat without moof', 'BOX_ORDER', join(init.bytes, mdat)],
    ['anything after mfra', 'BOX_ORDER', join(stream, fragment)],
    ['a second ftyp', 'BOX_ORDER', join(init.bytes, init.bytes)],
    ['a second moov', 'BOX_REPEATED', join(init.bytes, moov)],
    ['a second moov after a fragment', 'BOX_REPEATED', join(init.bytes, fragment, moov)],
    ['moof, moof', 'MDAT_MISSING', join(init.bytes, fragment.subarray(0, placeOf('mdat') - 8), fragment)],
    [
      'moof, free',
      'MDAT_MISSING',
      join(init.bytes, fragment.subarray(0, placeOf('mdat') - 8), rawBox('free', 8)),
    ],
    ['a box of 7 bytes', 'BOX_SIZE', join(init.bytes, rawBox('moof', 7, new Uint8Array(8)))],
    ['a large box of 15 bytes', 'BOX_SIZE', join(init.bytes, rawBox('moof', 1, rawBox('\0\0\0\x0f', 0)))],
    ['size 0', 'BOX_ENDLESS', join(init.bytes, rawBox('moof', 0))],
    ['4 GiB', 'BOX_LIMIT', join(init.bytes, rawBox('moof', 0xffff_ffff))],
    ['a 64-bit size of 4 GiB', 'BOX_LIMIT', join(init.bytes, rawBox('moof', 1, rawBox('\0\0\0\0', 1)))],
    [
      'a 64-bit size of 2^63',
      'BOX_LIMIT',
      join(init.bytes, rawBox('moof', 1, rawBox('\0\0\0\0', 0x8000_0000))),
    ],
    ['a long free box', 'BOX_LIMIT', join(init.bytes, rawBox('free', DEFAULT_LIMITS.other + 1))],
    ['nothing', 'TRUNCATED', new Uint8Array(0)],
    ['init cut', 'TRUNCATED', init.bytes.subarray(0, -1)],
    ['moof alone', 'TRUNCATED', join(init.bytes, fragment.subarray(0, placeOf('mdat') - 8))],
    ['half a header', 'TRUNCATED', join(init.bytes, fragment.subarray(0, 5))],
  ])('%s: %s [TM-48]', (_name, code, bytes) => {
    expect(feed([bytes]).refusal).toEqual(media(code));
    const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
    expect(feed(single).refusal).toEqual(media(code));
  });

  test('cut anywhere it is TRUNCATED, but for the ends of fragments', () => {
    const ends = allBoxes(stream)
      .filter(({ type }) => ['moov', 'mdat', 'mfra'].includes(type))
      .map(({ end }) => end);
    fc.assert(
      fc.property(fc.nat(stream.length - 1), (length) => {
        const { refusal } = feed([stream.subarray(0, length)]);
        expect(refusal?.code).toBe(ends.includes(length) ? undefined : 'TRUNCATED');
      }),
    );
    for (const end of ends) expect(feed([stream.subarray(0, end)]).refusal).toBeUndefined();
  });
});

describe('tampered fragments', () => {
  test.each<[string, string, (view: DataView, bytes: Uint8Array) => void]>([
    ['no default-base-is-moof', 'BASE_NOT_MOOF', (view) => view.setUint32(placeOf('tfhd'), 0x38)],
    ['a base data offset', 'BASE_NOT_MOOF', (view) => view.setUint32(placeOf('tfhd'), 0x2_0039)],
    ['an unknown track', 'TRACK_ID', (view) => view.setUint32(placeOf('tfhd') + 4, 7)],
    ['one track twice', 'TRACK_ID', (view) => view.setUint32(placeOf('tfhd') + 4, 2)],
    ['a sample too many', 'SAMPLE_COUNT', (view) => view.setUint32(placeOf('trun') + 4, 6)],
    ['4 G samples', 'SAMPLE_COUNT', (view) => view.setUint32(placeOf('trun') + 4, 0xffff_ffff)],
    ['data before the mdat', 'SAMPLE_RANGE', (view) => view.setInt32(placeOf('trun') + 8, -1)],
    ['data past the mdat', 'SAMPLE_RANGE', (view) => view.setInt32(placeOf('trun') + 8, 0x7fff_ffff)],
    ['no data offset', 'SAMPLE_RANGE', (view) => view.setUint32(placeOf('trun'), 0xa04)],
    ['a decode time of 2^63', 'TIME_RANGE', (view) => view.setUint32(placeOf('tfdt') + 4, 0x8000_0000)],
    ['no tfdt', 'BOX_MISSING', (view) => view.setUint32(placeOf('tfdt') - 4, 0x66726565)],
    ['no mfhd', 'BOX_MISSING', (view) => view.setUint32(placeOf('mfhd') - 4, 0x66726565)],
    ['two tfhd', 'BOX_REPEATED', (view) => view.setUint32(placeOf('tfdt') - 4, 0x74666864)],
  ])('%s: %s', (_name, code, change) => {
    const { events, refusal } = feed([tampered(change)]);
    expect(refusal).toEqual(media(code));
    expect(events).toHaveLength(1);
    expect(() => parseFragment(changed(fragment, change), init.info)).toThrow(media(code));
  });

  /** A fragment of empty data and many runs, none of which has a field for each sample. */
  const manyRuns = (runs: number, samples: number) => {
    const moof = (offset: number) => {
      const run = box('trun', u32s([1, samples, offset]));
      const head = [box('tfhd', u32s([0x2_0018, 1, 0, 0])), box('tfdt', u32s([0, 0]))];
      const traf = box('traf', ...head, ...Array.from({ length: runs }, () => run));
      return box('moof', box('mfhd', u32s([0, 1])), traf);
    };
    return concat([moof(moof(0).length + 8), box('mdat', new Uint8Array(4))]);
  };

  test.each<[string, string, number, number]>([
    ['samples of no data', 'SAMPLE_RANGE', 1, 5],
    ['more samples than anyone records, in one run', 'SAMPLE_COUNT', 1, 65_537],
    ['more than anyone records, run by run', 'SAMPLE_RANGE', 600, 65_536],
    ['more runs than anyone writes', 'SAMPLE_COUNT', 1025, 0],
    ['more boxes than anyone writes', 'BOX_LIMIT', 4095, 0],
  ])('%s: %s', (_name, code, runs, samples) => {
    expect(() => parseFragment(manyRuns(runs, samples), init.info)).toThrow(media(code));
  });

  test('as many samples as there are bytes, in as many runs as there may be', () => {
    expect(parseFragment(manyRuns(1, 4), init.info).samples).toBe(4);
    expect(parseFragment(manyRuns(1024, 0), init.info).samples).toBe(0);
  });

  test('4 G samples without a field of their own', () => {
    const dataOffset = fragment.subarray(placeOf('trun') + 8, placeOf('trun') + 12);
    const run = rawBox('trun', 20, join(new Uint8Array([0, 0, 0, 1, 255, 255, 255, 255]), dataOffset));
    const trun = allBoxes(fragment).find(({ type }) => type === 'trun') as { start: number; end: number };
    const filler = rawBox(
      'free',
      trun.end - trun.start - run.length,
      new Uint8Array(trun.end - trun.start - 28),
    );
    const bytes = tampered((_view, all) => all.set(join(run, filler), trun.start));
    expect(feed([bytes]).refusal).toEqual(media('SAMPLE_COUNT'));
  });

  test('untampered it is no refusal', () => {
    expect(feed([tampered(() => undefined)]).refusal).toBeUndefined();
  });
});

describe('lengths', () => {
  const parsed = allBoxes(stream).filter(
    ({ start, end }) => start < init.bytes.length + fragment.length || end === stream.length,
  );
  const topLevel = ['ftyp', 'moov', 'moof', 'mdat', 'mfra'];

  test.each([0, 1, 7, 8, -1, +1, 0x7fff_ffff, 0xffff_ffff])('every length changed to, or by, %i', (value) => {
    for (const { type, start, end } of parsed) {
      const size = Math.abs(value) === 1 ? end - start + value : value;
      const bytes = changed(stream, (view) => view.setUint32(start, size));
      const { refusal, mostPending } = feed([bytes]);
      if (topLevel.includes(type)) expect([type, refusal?.name]).toEqual([type, 'MediaError']);
      expect(mostPending).toBeLessThanOrEqual(HELD_AT_MOST);
    }
  });

  test.each(['moov', 'moof', 'mdat', 'free', 'mfra'] as const)('a %s that never ends', (type) => {
    const limits = { ...DEFAULT_LIMITS, mfra: 1 << 20 };
    const starts = {
      moov: [rawBox('ftyp', 8)],
      moof: [init.bytes],
      mdat: [init.bytes, fragment.subarray(0, placeOf('mdat') - 8)],
      free: [init.bytes],
      mfra: [init.bytes],
    }[type];
    const limit = type === 'free' ? limits.other : limits[type];
    for (const size of [0, 1, limit, limit + 1, 0xffff_ffff]) {
      const { refusal, mostPending, pushed } = feed(forever(...starts, rawBox(type, size)), limits);
      expect(refusal).toEqual(media(size === 0 ? 'BOX_ENDLESS' : (refusal?.code as string)));
      expect(mostPending).toBeLessThanOrEqual(HELD_AT_MOST);
      expect(pushed).toBeLessThanOrEqual(join(...starts).length + limit + 2 * (64 << 10));
    }
  });

  test('what is held stays below the limit for both boxes together', () => {
    const limits = { pending: fragment.length - 1 };
    expect(feed([init.bytes, fragment], limits).refusal).toEqual(media('BOX_LIMIT'));
    expect(feed([init.bytes, fragment], { pending: fragment.length }).refusal).toBeUndefined();
  });
});

test('a refusal is final, and keeps what came before it', () => {
  const fragmenter = new Fragmenter();
  const rubbish = new Uint8Array(8);
  expect(fragmenter.push(join(init.bytes, fragment, rubbish))).toHaveLength(2);
  expect(fragmenter.pendingBytes).toBe(0);
  expect(() => fragmenter.push(fragment)).toThrow(media('BOX_TYPE'));
  expect(() => fragmenter.push(new Uint8Array(0))).toThrow(media('BOX_TYPE'));
  expect(() => fragmenter.end()).toThrow(media('BOX_TYPE'));
});

describe('bytes flipped at random', () => {
  const described = allBoxes(stream).filter(
    ({ type }) => !['mdat', 'moov', 'trak', 'mdia', 'minf'].includes(type),
  );
  /** Three flips in four hit a header or a field, the others anything. */
  const place = fc.oneof(
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(...described)
        .chain(({ start, end }) => fc.integer({ min: start, max: end - 1 })),
    },
    { weight: 1, arbitrary: fc.nat(stream.length - 1) },
  );
  const flips = fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 });
  const flip = (places: [number, number][]) =>
    changed(stream, (_view, bytes) => {
      for (const [at, mask] of places) bytes[at] = (bytes[at] as number) ^ mask;
    });

  test('end in a MediaError or in nothing, and hold no more than the limit', () => {
    const codes = new Set<string | undefined>();
    const cut = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(flips, fc.array(cut, { maxLength: 8 }), (places, cuts) => {
        const { refusal, mostPending, events } = feed(chunksAt(flip(places), cuts));
        expect(mostPending).toBeLessThanOrEqual(HELD_AT_MOST);
        codes.add(refusal?.code);
        const [first, ...rest] = events;
        if (first?.kind !== 'init') return;
        joined(
          first.bytes,
          rest.map(({ bytes }) => bytes),
        );
      }),
      { numRuns: 400 },
    );
    expect(codes.size).toBeGreaterThan(3);
  });

  test('whatever bytes parseInit, parseFragment and Joiner get', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(fragment.length).map((length) => fragment.subarray(0, length)),
      fc.nat(init.bytes.length).map((length) => init.bytes.subarray(0, length)),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        onlyMediaErrors(() => parseInit(bytes));
        onlyMediaErrors(() => readFragment(bytes, init.info));
        joined(init.bytes, [bytes]);
        joined(bytes, [fragment]);
      }),
    );
  });
});

function onlyMediaErrors(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if ((error as Error).name !== 'MediaError') throw error;
  }
}

function joined(head: Uint8Array, parts: readonly Uint8Array[]): void {
  onlyMediaErrors(() => {
    const joiner = new Joiner(head);
    for (const part of parts) onlyMediaErrors(() => joiner.add(part, 0));
    const { tail } = joiner.finish();
    if (tail.length > 0) expect(allBoxes(tail)[0]?.type).toBe('moov');
  });
}
