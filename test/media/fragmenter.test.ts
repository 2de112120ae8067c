import fc from 'fast-check';
import { parseFragment } from '../../media/fragment.ts';
import { Fragmenter } from '../../media/fragmenter.ts';
import { copiedOpenGop, encoded, encodedWithSound, probe, surveillanceClip } from './recordings.ts';
import { allBoxes, chunksAt, feed, join, rawBox, split } from './stream.ts';

const recordings = {
  'H.264 with B-frames': encoded(),
  'H.264 and AAC': encodedWithSound(),
  'open GOPs and AAC, copied': copiedOpenGop(),
  'a surveillance clip': surveillanceClip(),
};
const cases = Object.entries(recordings);
const [, first] = cases[0] as [string, Uint8Array];

describe.each(cases)('%s', (_name, stream) => {
  const { init, fragments } = split(stream);

  test('init and fragments are the bytes of the stream up to mfra', () => {
    const all = join(init.bytes, ...fragments.map(({ bytes }) => bytes));
    expect(all).toEqual(stream.slice(0, all.length));
    expect(allBoxes(stream.subarray(all.length)).map(({ type }) => type)).toEqual(['mfra']);
  });

  test('samples, durations and keyframes are those that ffprobe counts', () => {
    const seen = probe(stream);
    const video = seen.streams.find(({ codec_type }) => codec_type === 'video');
    const keyPackets = seen.packets.filter(
      ({ codec_type, flags }) => codec_type === 'video' && flags.includes('K'),
    );
    const sum = (of: 'samples' | 'duration') =>
      fragments.reduce((total, fragment) => total + fragment[of], 0);
    expect(sum('samples')).toBe(Number(video?.nb_read_packets));
    expect(sum('duration')).toBe(video?.duration_ts);
    expect(fragments.filter(({ keyframe }) => keyframe).length).toBe(keyPackets.length);
    expect(fragments[0]?.keyframe).toBe(true);
  });

  test('decode times follow one another', () => {
    const { timescale } = init.info.video;
    let time = 0;
    for (const { samples, decodeTime, decodeTimeUs, duration, durationUs } of fragments) {
      if (samples > 0) expect(decodeTime).toBe(time);
      expect(decodeTimeUs).toBeCloseTo((decodeTime / timescale) * 1e6, -2);
      expect(durationUs).toBe(Math.round((duration / timescale) * 1e6));
      time += duration;
    }
  });

  test('a fragment read on its own says the same', () => {
    for (const { kind, bytes, ...info } of fragments) {
      expect(kind).toBe('fragment');
      expect(parseFragment(bytes, init.info)).toEqual(info);
    }
  });

  test('any split of the bytes gives the same events, in bytes that the reader does not share', () => {
    const whole = feed([stream]);
    expect(whole.refusal).toBeUndefined();
    const cut = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 40 }), (cuts) => {
        const { events, refusal } = feed(chunksAt(stream, cuts));
        expect(refusal).toBeUndefined();
        expect(events).toStrictEqual(whole.events);
      }),
      { numRuns: 15 },
    );
  });
});

test('byte by byte gives the same events', () => {
  const bytes = Array.from(first, (_, index) => first.subarray(index, index + 1));
  expect(feed(bytes).events).toStrictEqual(feed([first]).events);
});

test('sound alone is a fragment without video', () => {
  const { fragments } = split(recordings['H.264 and AAC']);
  const last = fragments.at(-1);
  expect(last).toMatchObject({ keyframe: false, samples: 0, duration: 0, durationUs: 0 });
  expect(last?.decodeTimeUs).toBeGreaterThan(2_500_000);
});

test('boxes between fragments are passed over', () => {
  const { init, fragments } = split(first);
  const between = ['styp', 'sidx', 'emsg', 'prft', 'free', 'skip', 'ssix'].map((type) =>
    rawBox(type, 20, new Uint8Array(12)),
  );
  const stream = join(init.bytes, ...fragments.flatMap(({ bytes }) => [...between, bytes]), ...between);
  expect(split(stream).fragments).toStrictEqual(fragments);
});

test('a 64-bit size is read', () => {
  const { init, fragments } = split(first);
  const { bytes } = fragments[0] as { bytes: Uint8Array };
  const mdat = allBoxes(bytes).find(({ type }) => type === 'mdat') as {
    start: number;
    body: number;
    end: number;
  };
  const large = new Uint8Array(8);
  new DataView(large.buffer).setUint32(4, mdat.end - mdat.start + 8);
  const moof = bytes.slice(0, mdat.start);
  const trun = allBoxes(moof).find(({ type }) => type === 'trun') as { body: number };
  const view = new DataView(moof.buffer);
  view.setInt32(trun.body + 8, view.getInt32(trun.body + 8) + 8);
  const fragment = join(moof, rawBox('mdat', 1, join(large, bytes.subarray(mdat.body))));
  expect(split(join(init.bytes, fragment)).fragments[0]).toMatchObject({ bytes: fragment, keyframe: true });
});

test('pendingBytes counts what is held', () => {
  const fragmenter = new Fragmenter();
  fragmenter.push(first.subarray(0, 3));
  expect(fragmenter.pendingBytes).toBe(3);
  fragmenter.push(first.subarray(3, 500));
  expect(fragmenter.pendingBytes).toBe(500);
  fragmenter.push(first.subarray(500));
  expect(fragmenter.pendingBytes).toBe(0);
});
