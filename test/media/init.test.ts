import { parseInit } from '../../media/init.ts';
import { copiedOpenGop, encoded, probe } from './recordings.ts';
import { allBoxes, changed, split } from './stream.ts';

const stream = copiedOpenGop();
const { bytes, info } = split(stream).init;
const placeOf = (type: string, nth = 0) =>
  allBoxes(bytes).filter((box) => box.type === type)[nth]?.body as number;

test('tracks, codecs and dimensions are those that ffprobe sees', () => {
  const [video, audio] = probe(stream).streams;
  expect(info.video).toMatchObject({ id: 1, kind: 'video', width: video?.width, height: video?.height });
  expect(info.video.codec).toMatch(/^avc1\.64[0-9a-f]{4}$/);
  expect(info.tracks).toHaveLength(2);
  expect(info.tracks[1]).toMatchObject({ kind: 'audio', codec: 'mp4a.40.2', timescale: 48_000, width: 0 });
  expect(audio?.codec_name).toBe('aac');
});

test('video alone is one track', () => {
  const alone = split(encoded(1)).init.info;
  expect(alone.tracks).toEqual([alone.video]);
});

const handler = (name: string, nth: number) => (_view: DataView, all: Uint8Array) =>
  all.set(new TextEncoder().encode(name), placeOf('hdlr', nth) + 8);

test.each<[string, string, (view: DataView, all: Uint8Array) => void]>([
  ['no video track', 'TRACK_VIDEO', handler('soun', 0)],
  ['two video tracks', 'TRACK_VIDEO', handler('vide', 1)],
  ['timescale 0', 'TIMESCALE_ZERO', (view) => view.setUint32(placeOf('mdhd') + 12, 0)],
  ['track id 0', 'TRACK_ID', (view) => view.setUint32(placeOf('tkhd') + 12, 0)],
  ['one track id twice', 'TRACK_ID', (view) => view.setUint32(placeOf('tkhd', 1) + 12, 1)],
  ['a track without trex', 'BOX_MISSING', (view) => view.setUint32(placeOf('trex', 1) + 4, 9)],
  ['two trex for one track', 'BOX_REPEATED', (view) => view.setUint32(placeOf('trex', 1) + 4, 1)],
  ['no mvex', 'BOX_MISSING', (view) => view.setUint32(placeOf('mvex') - 4, 0x66726565)],
  [
    'a second mvhd in place of mvex',
    'BOX_MISSING',
    (view) => view.setUint32(placeOf('mvex') - 4, 0x6d766864),
  ],
  ['a sample entry past its container', 'BOX_SIZE', (view) => view.setUint32(placeOf('stsd') + 8, 900)],
])('%s is refused', (_name, code, change) => {
  expect(() => parseInit(changed(bytes, change))).toThrow(
    expect.objectContaining({ name: 'MediaError', code }),
  );
});

test('other sample entries are named by their type', () => {
  const other = changed(bytes, (_view, all) =>
    all.set(new TextEncoder().encode('hvc1'), placeOf('stsd') + 12),
  );
  expect(parseInit(other).video.codec).toBe('hvc1');
});

describe('how pictures are to be turned', () => {
  const matrix = (...values: number[]) =>
    changed(bytes, (view) => {
      // Before a, b, u, c, d: version and flags, 20 bytes of times and id, 16 more (ISO/IEC 14496-12, 8.3.2).
      [0, 4, 12, 16].forEach((at, index) => {
        view.setInt32(placeOf('tkhd') + 40 + at, (values[index] as number) * 0x1_0000);
      });
    });
  test.each<[string, number, number[]]>([
    ['not at all', 0, [1, 0, 0, 1]],
    ['by 90 degrees', 90, [0, 1, -1, 0]],
    ['by 180', 180, [-1, 0, 0, -1]],
    ['by 270', 270, [0, -1, 1, 0]],
    ['mirrored: not known', 0, [-1, 0, 0, 1]],
    ['mirrored and by 90: not known', 0, [0, 1, 1, 0]],
    ['by 45: not known', 0, [0.5, 0.5, -0.5, 0.5]],
    ['a matrix of zeros: not known', 0, [0, 0, 0, 0]],
  ])('%s', (_, rotation, values) => {
    const turned = parseInit(matrix(...values));
    expect(turned.video.rotation).toBe(rotation);
    expect(turned.tracks[1]?.rotation).toBe(0);
  });
});

test.each<[string, number, [number, number]]>([
  ['square', 1, [128, 96]],
  ['wider than high', 2, [256, 96]],
  ['higher than wide', 0.5, [128, 192]],
  ['of no size: not known', 1, [0, 0]],
  ['of a shape that no camera has: not known', 1, [1280, 96]],
])('pixels are %s', (_, aspect, [width, height]) => {
  const other = changed(bytes, (view) => {
    // The last two fields of the 84 that tkhd has.
    view.setUint32(placeOf('tkhd') + 76, width * 0x1_0000);
    view.setUint32(placeOf('tkhd') + 80, height * 0x1_0000);
  });
  expect(parseInit(other).video).toMatchObject({ width: 128, height: 96, pixelAspect: aspect });
});
