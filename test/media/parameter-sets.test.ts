import fc from 'fast-check';
import { viewOf } from '../../media/boxes.ts';
import type { FragmentEvent } from '../../media/fragmenter.ts';
import { parseInit } from '../../media/init.ts';
import { followParameterSets, type InitSegment, playsInBrowsers } from '../../media/parameter-sets.ts';
import { type ClipOptions, clips, copied, pictures } from './elementary.ts';
import { allBoxes, changed, join, type split } from './stream.ts';

/** What follows a small picture, and whether browsers play it. */
const SECONDS: readonly [string, boolean, ClipOptions][] = [
  ['a larger picture', true, ['640x360']],
  ['a size that is cropped', true, ['630x354', '-preset', 'veryfast', '-profile:v', 'high']],
  ['another profile and level', true, ['320x180', '-preset', 'veryfast', '-profile:v', 'main']],
  ['another picture parameter set alone', true, ['320x180', '-x264-params', 'chroma-qp-offset=3']],
  ['parameter sets of another id', true, ['640x360', '-x264-params', 'sps-id=3']],
  ['fields', true, ['720x576', '-flags', '+ildct+ilme']],
  ['pixels that are not square', true, ['720x576', '-vf', 'setsar=16/11']],
  ['4:2:0 in 10 bits', false, ['322x182', '-pix_fmt', 'yuv420p10le']],
  ['4:2:2', false, ['322x182', '-pix_fmt', 'yuv422p']],
  ['4:4:4', false, ['321x181', '-pix_fmt', 'yuv444p']],
  ['no colour', false, ['322x182', '-pix_fmt', 'gray']],
];
type Stream = ReturnType<typeof split>;
const [SMALL, OTHER_ID, ...second] = clips(
  ['320x180'],
  ['640x360', '-x264-params', 'sps-id=1'],
  ...SECONDS.map(([, , wish]) => wish),
) as [Uint8Array, Uint8Array, ...Uint8Array[]];
const LARGE = second[0] as Uint8Array;
const [there, thereAndBack, same, knownIds, ...rest] = copied(
  [SMALL, LARGE],
  [SMALL, LARGE, SMALL],
  [SMALL, SMALL],
  [bothSets(SMALL), bothSets(OTHER_ID)],
  ...second.map((clip) => [SMALL, clip]),
  ...second.map((clip) => [clip]),
) as [Stream, Stream, Stream, Stream, ...Stream[]];
const after = rest.slice(0, second.length);
const alone = rest.slice(second.length);

/** The clip with the parameter sets of SMALL and OTHER_ID before it, its own the first. */
function bothSets(clip: Uint8Array): Uint8Array {
  // Up to the encoder's words, which follow the sets.
  const setsOf = (stream: Uint8Array) =>
    stream.subarray(0, Buffer.from(stream).indexOf(Buffer.from([0, 0, 1, 6])));
  const own = setsOf(clip);
  const others = [SMALL, OTHER_ID].map(setsOf).filter((sets) => Buffer.compare(sets, own) !== 0);
  return Buffer.concat([own, ...others, clip.subarray(own.length)]);
}

/** The init segments in force after each keyframe, the first of them as ffmpeg wrote it. */
function followed({ init, fragments }: Stream): InitSegment[] {
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
  const [before, larger, ...more] = followed(there);
  const later = there.fragments.slice(there.fragments.length / 2);

  test('gets an init segment once, with the size', () => {
    expect(more).toEqual([]);
    expect(before?.info.video).toMatchObject({ width: 320, height: 180 });
    expect(larger?.info.video).toMatchObject({ width: 640, height: 360 });
    expect(parseInit(larger?.bytes as Uint8Array)).toEqual(larger?.info);
  });

  test('gives every picture to a player that goes by the init segment, which the old one does not', () => {
    const right = pictures(join(alone[0]?.init.bytes as Uint8Array, ...later.map(({ bytes }) => bytes)));
    expect(right).toHaveLength(10);
    expect(pictures(withInit(larger?.bytes as Uint8Array, later))).toEqual(right);
    const wrong = pictures(withInit(there.init.bytes, later));
    expect(right.filter((picture) => wrong.includes(picture))).toEqual([]);
  });

  test('and goes back gets the first one again', () => {
    const inits = followed(thereAndBack);
    expect(inits.map(({ info }) => info.video.width)).toEqual([320, 640, 320]);
    expect(inits[2]?.bytes).toEqual(inits[0]?.bytes);
  });

  test('by taking another of two sets, both known, gets its size', () => {
    expect(followed(knownIds).map(({ info }) => info.video.width)).toEqual([320, 640]);
  });
});

/** What ffmpeg writes for the second clip alone says what the init segment has to be. */
describe.each(SECONDS.map(([name, plays], index) => [name, plays, index] as const))(
  '%s',
  (_, plays, index) => {
    const [before, made, ...more] = followed(after[index] as Stream) as [InitSegment, InitSegment];
    const right = (alone[index] as Stream).init;
    const bodies = ({ bytes }: InitSegment, ...types: string[]) =>
      allBoxes(bytes)
        .filter(({ type }) => types.includes(type))
        .map(({ body, end }) => bytes.subarray(body, end));

    test('is described as ffmpeg describes it', () => {
      expect(more).toEqual([]);
      expect(made.info).toEqual(right.info);
      expect(bodies(made, 'tkhd')).toEqual(bodies(right, 'tkhd'));
      expect(entry(made)).toEqual(entry(right));
    });

    test(plays ? 'plays in browsers' : 'is what not every browser plays', () => {
      expect(playsInBrowsers(made)).toBe(plays);
    });

    test('changes nothing else', () => {
      const others = ['ftyp', 'mvhd', 'mdhd', 'hdlr', 'vmhd', 'dinf', 'stts', 'stsc', 'stsz', 'stco', 'mvex'];
      expect(bodies(made, ...others)).toEqual(bodies(before, ...others));
      expect(allBoxes(made.bytes).map(({ type }) => type)).toEqual(
        allBoxes(before.bytes).map(({ type }) => type),
      );
    });
  },
);

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
    expect(same.fragments.filter(({ keyframe }) => keyframe)).toHaveLength(4);
    expect(followed(same)).toHaveLength(1);
  });

  const { init, fragments } = there;
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
  const { init, fragments } = there;
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

  test('in the parameter sets are followed or passed over, and never thrown at [TM-48]', () => {
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
