import type { Box } from '../../media/boxes.ts';
import { readEdits } from '../../media/edits.ts';
import type { FragmentEvent } from '../../media/fragmenter.ts';
import { Joiner } from '../../media/joiner.ts';
import { box, fullBox, u32s } from '../../media/writer.ts';
import { copiedOpenGop, decode, encoded, encodedWithSound, probe, surveillanceClip } from './recordings.ts';
import { allBoxes, changed, join, split } from './stream.ts';

interface Placed {
  readonly fragment: FragmentEvent;
  readonly shiftUs: number;
}

/** The fragments of one run, the first of them at `atUs`. */
function run(fragments: readonly FragmentEvent[], atUs: number): Placed[] {
  const shiftUs = atUs - (fragments[0] as FragmentEvent).decodeTimeUs;
  return fragments.map((fragment) => ({ fragment, shiftUs }));
}

/** The file that grows, and the file once it is finished. */
function joinAll(init: Uint8Array, placed: readonly Placed[]): { growing: Uint8Array; finished: Uint8Array } {
  const joiner = new Joiner(init);
  const growing = join(
    joiner.head(),
    ...placed.map(({ fragment, shiftUs }) => joiner.add(fragment.bytes, shiftUs)),
  );
  const { tail, patches } = joiner.finish();
  const finished = join(growing, tail);
  for (const { offset, bytes } of patches) finished.set(bytes, offset);
  return { growing, finished };
}

/** Presentation times of the video, in microseconds, in order. */
const videoTimes = (file: Uint8Array): number[] =>
  probe(file)
    .packets.filter(({ codec_type }) => codec_type === 'video')
    .map(({ pts_time }) => Math.round(Number(pts_time) * 1e6))
    .sort((a, b) => a - b);

const samplesOf = (fragments: readonly FragmentEvent[]): number =>
  fragments.reduce((total, { samples }) => total + samples, 0);

describe.each([
  ['H.264 with B-frames', encoded()],
  ['H.264 and AAC', encodedWithSound()],
  ['open GOPs and AAC, copied', copiedOpenGop()],
  ['a surveillance clip', surveillanceClip()],
])('%s', (_name, stream) => {
  const { init, fragments } = split(stream);
  const { growing, finished } = joinAll(init.bytes, run(fragments, 0));

  test('finished it is an ordinary MP4 with the count, duration and times of the source', () => {
    const [source, seen] = [probe(stream), probe(finished)];
    expect(allBoxes(finished).filter(({ type }) => ['moof', 'mvex', 'traf'].includes(type))).toEqual([]);
    expect(seen.packets).toEqual(
      source.packets.map((packet) => expect.objectContaining(packetTimes(packet))),
    );
    source.streams.forEach((stream, index) => {
      expect(seen.streams[index]).toMatchObject({
        codec_name: stream.codec_name,
        duration_ts: stream.duration_ts,
      });
      expect(seen.streams[index]?.nb_frames).toBe(stream.nb_read_packets);
    });
    expect(Number(seen.format.duration)).toBeCloseTo(Number(source.format.duration), 2);
    decode(finished);
  });

  // ffprobe finds keyframes by itself where stss is wrong.
  test('the sync samples are those that begin the GOPs', () => {
    const stss = allBoxes(finished).find(({ type }) => type === 'stss') as { body: number; end: number };
    const view = new DataView(finished.buffer, stss.body + 8, stss.end - stss.body - 8);
    const listed = Array.from({ length: view.byteLength / 4 }, (_, index) => view.getUint32(index * 4));
    const keyframes = fragments.flatMap(({ keyframe }, index) =>
      keyframe ? [1 + samplesOf(fragments.slice(0, index))] : [],
    );
    expect(listed).toEqual(keyframes);
  });

  test('while it grows it plays, and says the same', () => {
    expect(probe(growing).packets.length).toBe(probe(stream).packets.length);
    decode(growing);
  });

  test('a fragment less is seen', () => {
    const { finished } = joinAll(init.bytes, run(fragments.slice(0, 5), 0));
    expect(Number(probe(finished).streams[0]?.nb_frames)).toBe(samplesOf(fragments.slice(0, 5)));
  });
});

function packetTimes({
  codec_type,
  pts_time,
  flags,
}: {
  codec_type: string;
  pts_time: string;
  flags: string;
}) {
  return { codec_type, pts_time, flags };
}

describe('places', () => {
  const { init, fragments } = split(encoded());
  const whole = videoTimes(joinAll(init.bytes, run(fragments, 0)).finished);
  const [gop, after] = [fragments.slice(0, 5), fragments.slice(10)];

  test('a gap keeps its time', () => {
    const placed = run(fragments, 0).filter(
      ({ fragment }) => gop.includes(fragment) || after.includes(fragment),
    );
    const { growing, finished } = joinAll(init.bytes, placed);
    const kept = whole.filter((_, index) => index < 25 || index >= 50);
    expect(videoTimes(finished)).toEqual(kept);
    expect(videoTimes(growing)).toEqual(kept);
    expect(Number(probe(finished).format.duration)).toBeCloseTo(3, 3);
    decode(finished);
  });

  test('a later part of a run begins at 0', () => {
    const { finished } = joinAll(init.bytes, run(after, 0));
    expect(videoTimes(finished)).toEqual(whole.slice(0, 25));
    expect(Number(probe(finished).format.duration)).toBeCloseTo(1, 3);
    decode(finished);
  });

  test('two runs stand where they are placed', () => {
    const { growing, finished } = joinAll(init.bytes, [
      ...run(fragments, 0),
      ...run(fragments, 3_600_000_000),
    ]);
    const expected = [...whole, ...whole.map((time) => time + 3_600_000_000)];
    expect(videoTimes(finished)).toEqual(expected);
    expect(videoTimes(growing)).toEqual(expected);
    expect(Number(probe(finished).format.duration)).toBeCloseTo(3603, 3);
    decode(finished);
  });

  test('a first fragment after 0 is delayed', () => {
    const { finished } = joinAll(init.bytes, run(after, 2_000_000));
    expect(videoTimes(finished)).toEqual(whole.slice(50));
    expect(Number(probe(finished).streams[0]?.nb_frames)).toBe(25);
    expect(Math.abs(Number(probe(finished).format.duration) - 3)).toBeLessThan(0.1);
    decode(finished);
  });

  test('a gap too long for a sample table leaves the file fragmented', () => {
    const days = 4 * 86_400_000_000;
    const { growing, finished } = joinAll(init.bytes, [...run(gop, 0), ...run(gop, days)]);
    expect(finished).toEqual(growing);
    expect(videoTimes(finished)).toEqual([
      ...whole.slice(0, 25),
      ...whole.slice(0, 25).map((time) => time + days),
    ]);
  });

  test('a track never goes back, and loses nothing', () => {
    const { finished } = joinAll(init.bytes, [...run(gop, 0), ...run(gop, 500_000)]);
    const times = videoTimes(finished);
    expect(times).toHaveLength(50);
    expect(times.at(-1)).toBeGreaterThan(1_000_000);
  });

  test('sequence numbers rise from 1', () => {
    const { growing } = joinAll(init.bytes, [...run(after, 0), ...run(gop, 2_000_000)]);
    const view = new DataView(growing.buffer);
    const numbers = allBoxes(growing)
      .filter(({ type }) => type === 'mfhd')
      .map(({ body }) => view.getUint32(body + 4));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});

describe('sound', () => {
  const { init, fragments } = split(encodedWithSound());

  test('keeps its distance to the picture when a run begins later', () => {
    const later = fragments.slice(5);
    const { finished } = joinAll(init.bytes, [...run(later, 0), ...run(later, 10_000_000)]);
    const seen = probe(finished);
    const firstAfter = (kind: string, seconds: number) =>
      Math.min(
        ...seen.packets
          .filter((p) => p.codec_type === kind)
          .map((p) => Number(p.pts_time))
          .filter((t) => t >= seconds),
      );
    const source = (later[0] as FragmentEvent).decodeTimeUs / 1e6;
    const original = probe(join(init.bytes, ...later.map(({ bytes }) => bytes)));
    const sound = original.packets
      .filter((p) => p.codec_type === 'audio')
      .map((p) => Number(p.pts_time) - source);
    const expected = Math.min(...sound.filter((t) => t >= 0)) + 10;
    expect(Math.abs(firstAfter('audio', 10) - expected)).toBeLessThan(0.001);
    decode(finished);
  });

  test.each<[string, number, number]>([
    ['after the picture: not at all', 3, 0],
    ['half a second before it: by that', 2.3, 0.5],
    ['so long before it that its times mean nothing: not at all', 0.5, 0],
  ])('a run is moved on for sound that begins %s', (_, soundAt, movedOn) => {
    const { bytes, decodeTimeUs } = fragments.find(
      (each) => each.decodeTimeUs === 2_800_000,
    ) as FragmentEvent;
    const fragment = changed(bytes, (view) => {
      const tfdt = allBoxes(bytes).filter(({ type }) => type === 'tfdt')[1]?.body as number;
      view.setBigUint64(tfdt + 4, BigInt(Math.round(soundAt * 48_000)));
    });
    const shiftUs = new Joiner(init.bytes).shiftFor([fragment], -decodeTimeUs);
    expect(shiftUs + decodeTimeUs).toBeCloseTo(movedOn * 1e6, 0);
  });
});

describe('edit lists of an init segment', () => {
  const { bytes, info } = split(encodedWithSound()).init;
  /** The init segment with an edit list for the sound: entries of movie ticks (a thousandth of a second) and media time. */
  const edited = (...entries: readonly (readonly [number, number])[]) => {
    const elst = entries.map(([ticks, mediaTime]) => u32s([ticks, mediaTime, 0x1_0000]));
    const edts = box('edts', fullBox('elst', 0, 0, u32s([entries.length]), ...elst));
    const sound = allBoxes(bytes).filter(({ type }) => type === 'trak')[1] as Box;
    const moov = allBoxes(bytes).find(({ type }) => type === 'moov') as Box;
    const trak = box('trak', edts, bytes.subarray(sound.body, sound.end));
    const inMoov = [bytes.subarray(moov.body, sound.start), trak, bytes.subarray(sound.end, moov.end)];
    return join(bytes.subarray(0, moov.start), box('moov', ...inMoov));
  };
  const movedIn = (init: Uint8Array) => readEdits(init, info).get(2);

  test.each<[string, number, [number, number][]]>([
    ['of one entry', -1024, [[0, 1024]]],
    [
      'that delays',
      48_000 / 4,
      [
        [250, -1],
        [0, 0],
      ],
    ],
    [
      'that delays and skips',
      48_000 / 4 - 1024,
      [
        [250, -1],
        [3000, 1024],
      ],
    ],
    ['that shows nothing: not at all', 0, [[250, -1]]],
    [
      'that moves over 2 s: not at all',
      0,
      [
        [2001, -1],
        [0, 0],
      ],
    ],
    ['that has no entries: not at all', 0, []],
  ])('move sound, by one %s', (_, ticks, entries) => {
    expect(movedIn(edited(...entries))).toBe(ticks);
  });

  test('that cannot be read move nothing, and no file keeps any', () => {
    const init = edited([0, 1024]);
    const elst = allBoxes(init).find(({ type }) => type === 'edts')?.body as number;
    expect(movedIn(changed(init, (view) => view.setUint32(elst, 9)))).toBe(0);
    expect(new Joiner(init).head()).toEqual(new Joiner(bytes).head());
  });
});

describe('a 32-bit tfdt', () => {
  const { init, fragments } = split(encoded(1));
  const fragment = fragments[0] as FragmentEvent;
  const tfdt = allBoxes(fragment.bytes).find(({ type }) => type === 'tfdt')?.body as number;
  const narrow = changed(fragment.bytes, (view) => view.setUint8(tfdt, 0));

  test('is written in its width', () => {
    const bytes = new Joiner(init.bytes).add(narrow, 1_000_000);
    expect(new DataView(bytes.buffer).getUint32(tfdt + 4)).toBe(init.info.video.timescale);
  });

  test('refuses a time that it cannot hold, and changes nothing', () => {
    const joiner = new Joiner(init.bytes);
    const refused = expect.objectContaining({ name: 'MediaError', code: 'TIME_RANGE' });
    expect(() => joiner.add(narrow, 1e6 * 2 ** 32)).toThrow(refused);
    expect(() => joiner.add(fragment.bytes, Number.NaN)).toThrow(refused);
    const fresh = new Joiner(init.bytes);
    expect(joiner.add(fragment.bytes, 0)).toEqual(fresh.add(fragment.bytes, 0));
    expect(joiner.finish()).toEqual(fresh.finish());
  });
});
