import fc from 'fast-check';
import { viewOf } from '../../media/boxes.ts';
import type { FragmentEvent } from '../../media/fragmenter.ts';
import { parseInit } from '../../media/init.ts';
import { followParameterSets, type InitSegment, playsInBrowsers } from '../../media/parameter-sets.ts';
import { clip, copied, pictures } from './elementary.ts';
import { allBoxes, changed, join, type split } from './stream.ts';

const SMALL = clip('320x180');
const LARGE = clip('640x360');

/** The init segments in force after each keyframe, the first of them as ffmpeg wrote it. */
function followed({ init, fragments }: ReturnType<typeof split>): InitSegment[] {
  const seen: InitSegment[] = [init];
  for (const { keyframe, bytes } of fragments) {
    const next = keyframe ? followParameterSets(seen.at(-1) as InitSegment, bytes) : undefined;
    if (next !== undefined) seen.push(next);
  }
  return seen;
}

/** The fragment without its in-band parameter sets: their NAL units get a type that decoders pass over. */
function withoutSets(fragment: Uint8Array): Uint8Array {
  return changed(fragment, (view, bytes) => {
    const mdat = allBoxes(fragment).find(({ type }) => type === 'mdat') as { body: number; end: number };
    for (let at = mdat.body; at < mdat.end; at += 4 + view.getUint32(at)) {
      if ([7, 8].includes((bytes[at + 4] as number) & 0x1f)) bytes[at + 4] = 30;
    }
  });
}

const withInit = (init: Uint8Array, fragments: readonly FragmentEvent[]) =>
  join(init, ...fragments.map(({ bytes }) => withoutSets(bytes)));

describe('[FC-69] a camera that changes its size', () => {
  const both = copied(SMALL, LARGE);
  const [before, after, ...more] = followed(both);
  const later = both.fragments.slice(both.fragments.length / 2);

  test('gets an init segment once, with the size', () => {
    expect(more).toEqual([]);
    expect(before?.info.video).toMatchObject({ width: 320, height: 180 });
    expect(after?.info.video).toMatchObject({ width: 640, height: 360 });
    expect(parseInit(after?.bytes as Uint8Array)).toEqual(after?.info);
  });

  test('gives every picture to a player that goes by the init segment, which the old one does not', () => {
    const right = pictures(join(copied(LARGE).init.bytes, ...later.map(({ bytes }) => bytes)));
    expect(right).toHaveLength(10);
    expect(pictures(withInit(after?.bytes as Uint8Array, later))).toEqual(right);
    const wrong = pictures(withInit(both.init.bytes, later));
    expect(right.filter((picture) => wrong.includes(picture))).toEqual([]);
  });

  test('and goes back gets the first one again', () => {
    const there = followed(copied(SMALL, LARGE, SMALL));
    expect(there.map(({ info }) => info.video.width)).toEqual([320, 640, 320]);
    expect(there[2]?.bytes).toEqual(there[0]?.bytes);
  });
});

test('[FC-69] a keyframe that takes another of two sets, both known, gets its size', () => {
  const other = clip('640x360', '-x264-params', 'sps-id=1');
  /** Up to the encoder's words, which follow the sets. */
  const setsOf = (stream: Uint8Array) =>
    stream.subarray(0, Buffer.from(stream).indexOf(Buffer.from([0, 0, 1, 6])));
  const both = (stream: Uint8Array) => {
    const own = setsOf(stream);
    const sets = [setsOf(SMALL), setsOf(other)].sort((one) => (Buffer.compare(one, own) === 0 ? -1 : 1));
    return Buffer.concat([...sets, stream.subarray(own.length)]);
  };
  const stream = copied(both(SMALL), both(other));
  expect(followed(stream).map(({ info }) => info.video.width)).toEqual([320, 640]);
});

/** What ffmpeg writes for the second clip alone says what the init segment has to be. */
describe.each<[string, boolean, Uint8Array]>([
  ['a larger picture', true, LARGE],
  ['a size that is cropped', true, clip('630x354', '-preset', 'veryfast', '-profile:v', 'high')],
  ['another profile and level', true, clip('320x180', '-preset', 'veryfast', '-profile:v', 'main')],
  ['another picture parameter set alone', true, clip('320x180', '-x264-params', 'chroma-qp-offset=3')],
  ['parameter sets of another id', true, clip('640x360', '-x264-params', 'sps-id=3')],
  ['fields', true, clip('720x576', '-flags', '+ildct+ilme')],
  ['pixels that are not square', true, clip('720x576', '-vf', 'setsar=16/11')],
  ['4:2:0 in 10 bits', false, clip('322x182', '-pix_fmt', 'yuv420p10le')],
  ['4:2:2', false, clip('322x182', '-pix_fmt', 'yuv422p')],
  ['4:4:4', false, clip('321x181', '-pix_fmt', 'yuv444p')],
  ['no colour', false, clip('322x182', '-pix_fmt', 'gray')],
])('%s', (_name, plays, second) => {
  const [before, after, ...more] = followed(copied(SMALL, second)) as [InitSegment, InitSegment];
  const alone = copied(second).init;
  const bodies = ({ bytes }: InitSegment, ...types: string[]) =>
    allBoxes(bytes)
      .filter(({ type }) => types.includes(type))
      .map(({ body, end }) => bytes.subarray(body, end));

  test('is described as ffmpeg describes it', () => {
    expect(more).toEqual([]);
    expect(after.info).toEqual(alone.info);
    expect(bodies(after, 'tkhd')).toEqual(bodies(alone, 'tkhd'));
    expect(entry(after)).toEqual(entry(alone));
  });

  test(plays ? 'plays in browsers' : 'is what not every browser plays', () => {
    expect(playsInBrowsers(after)).toBe(plays);
  });

  test('changes nothing else', () => {
    const rest = ['ftyp', 'mvhd', 'mdhd', 'hdlr', 'vmhd', 'dinf', 'stts', 'stsc', 'stsz', 'stco', 'mvex'];
    expect(bodies(after, ...rest)).toEqual(bodies(before, ...rest));
    expect(allBoxes(after.bytes).map(({ type }) => type)).toEqual(
      allBoxes(before.bytes).map(({ type }) => type),
    );
  });
});

/** Size, avcC and pixel aspect in the sample entry; of ffmpeg's boxes the last two, in any order. */
function entry({ bytes }: InitSegment) {
  const stsd = allBoxes(bytes).find(({ type }) => type === 'stsd') as { body: number; end: number };
  const fields = bytes.subarray(stsd.body + 16, stsd.body + 16 + 78);
  const inside = allBoxes(bytes, stsd.body + 16 + 78, stsd.end).filter(({ type }) => type !== 'btrt');
  return {
    fields,
    boxes: Object.fromEntries(inside.map(({ type, body, end }) => [type, bytes.subarray(body, end)])),
  };
}

describe('no change', () => {
  test('the same sets before each keyframe', () => {
    const stream = copied(SMALL, SMALL);
    expect(stream.fragments.filter(({ keyframe }) => keyframe).length).toBeGreaterThan(1);
    expect(followed(stream)).toHaveLength(1);
  });

  const { init, fragments } = copied(SMALL, LARGE);
  const change = fragments.find(({ bytes }) => followParameterSets(init, bytes)) as FragmentEvent;

  test('a keyframe without sets', () => {
    expect(followParameterSets(init, withoutSets(change.bytes))).toBeUndefined();
  });

  test('a fragment that begins with no keyframe', () => {
    const other = changed(change.bytes, (view) => {
      const trun = allBoxes(change.bytes).find(({ type }) => type === 'trun') as { body: number };
      view.setUint32(trun.body + 12, view.getUint32(trun.body + 12) | 0x1_0000);
    });
    expect(followParameterSets(init, other)).toBeUndefined();
  });

  test('video that is no H.264', () => {
    const video = { ...init.info.video, codec: 'hvc1' };
    const other = { bytes: init.bytes, info: { tracks: [video], video } };
    expect(followParameterSets(other, change.bytes)).toBeUndefined();
    expect(playsInBrowsers(other)).toBe(false);
  });

  test('nal_ref_idc is no part of a set', () => {
    const same = copied(SMALL);
    const [keyframe] = same.fragments as [FragmentEvent];
    const others = changed(keyframe.bytes, (view, bytes) => {
      const mdat = allBoxes(bytes).find(({ type }) => type === 'mdat') as { body: number; end: number };
      for (let at = mdat.body; at < mdat.end; at += 4 + view.getUint32(at)) {
        if (bytes[at + 4] === 0x67) bytes[at + 4] = 0x27;
      }
    });
    expect(others).not.toEqual(keyframe.bytes);
    expect(followParameterSets(same.init, others)).toBeUndefined();
  });
});

describe('strange bytes', () => {
  const { init, fragments } = copied(SMALL, LARGE);
  const change = fragments.find(({ bytes }) => followParameterSets(init, bytes)) as FragmentEvent;
  const mdat = allBoxes(change.bytes).find(({ type }) => type === 'mdat') as { body: number };
  const flips = (from: number, to: number) =>
    fc.array(fc.tuple(fc.integer({ min: from, max: to - 1 }), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
  const flipped = (bytes: Uint8Array, places: readonly (readonly [number, number])[]) =>
    changed(bytes, (_view, copy) => {
      for (const [at, mask] of places) copy[at] = (copy[at] as number) ^ mask;
    });
  const check = (from: InitSegment, fragment: Uint8Array) => {
    const next = followParameterSets(from, fragment);
    if (next !== undefined) expect(parseInit(next.bytes)).toEqual(next.info);
    return next;
  };

  test('in the parameter sets are followed or passed over, and never thrown at', () => {
    const widths = new Set<number | undefined>();
    fc.assert(
      fc.property(flips(mdat.body, mdat.body + 48), (places) => {
        widths.add(check(init, flipped(change.bytes, places))?.info.video.width);
      }),
      { numRuns: 500 },
    );
    expect(widths.size).toBeGreaterThan(2);
  });

  test('anywhere else too', () => {
    fc.assert(
      fc.property(
        flips(0, mdat.body + 48),
        flips(0, init.bytes.length),
        fc.nat(change.bytes.length),
        (inFragment, inInit, length) => {
          check(init, flipped(change.bytes, inFragment));
          check(init, change.bytes.subarray(0, length));
          check({ ...init, bytes: flipped(init.bytes, inInit) }, change.bytes);
          playsInBrowsers({ ...init, bytes: flipped(init.bytes, inInit) });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a sample of nothing but sets, or of very many, is passed over', () => {
    const lengths = viewOf(change.bytes);
    const [spsSize, ppsAt] = [lengths.getUint32(mdat.body), mdat.body + 4 + lengths.getUint32(mdat.body)];
    expect(spsSize).toBeLessThan(64);
    const all = changed(change.bytes, (view, bytes) => {
      for (let at = ppsAt; at + 5 < bytes.length; at += 5) {
        view.setUint32(at, 1);
        bytes[at + 4] = 8;
      }
    });
    expect(followParameterSets(init, all)).toBeUndefined();
  });
});
