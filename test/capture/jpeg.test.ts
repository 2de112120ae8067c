import { snapshotArguments } from '../../agent/capture/arguments.ts';
import { decodePicture, pictureSize, shownSize } from '../../agent/capture/jpeg.ts';
import { collect } from '../../host/child.ts';
import type { RawPicture } from '../../host/jpeg.ts';
import { parseInit } from '../../media/init.ts';
import { RED_AND_BLUE, turnedVideosOf, videoOf } from '../media/keyframes.ts';

/** Pictures of what a turned camera filmed: red on the left, blue on the right, before it is turned. */

const signal = new AbortController().signal;
type Video = ReturnType<typeof videoOf>;
const turned = turnedVideosOf(RED_AND_BLUE, 90, 180, 270);
const [turned90, turned180, turned270] = turned as [Video, Video, Video];
const ON_ITS_SIDE = { top: 'red', bottom: 'red', left: 'red', right: 'blue' };

/** The colours at the edges: above and below a quarter from the left, at the sides a quarter from above. */
function edges({ pixels, width, height }: RawPicture): Record<'top' | 'bottom' | 'left' | 'right', string> {
  const at = (x: number, y: number) => {
    const [red = 0, , blue = 0] = pixels.subarray((y * width + x) * 3);
    return red > blue ? 'red' : 'blue';
  };
  const [x, y] = [Math.floor(width / 4), Math.floor(height / 4)];
  return { top: at(x, 4), bottom: at(x, height - 5), left: at(4, y), right: at(width - 5, y) };
}

describe.each<[number, Video, { width: number; height: number }, ReturnType<typeof edges>]>([
  [90, turned90, { width: 320, height: 568 }, { top: 'blue', bottom: 'red', left: 'blue', right: 'blue' }],
  [180, turned180, { width: 320, height: 180 }, { top: 'blue', bottom: 'blue', left: 'blue', right: 'red' }],
  [270, turned270, { width: 320, height: 568 }, { top: 'red', bottom: 'blue', left: 'red', right: 'red' }],
])('[FC-73] of a camera turned by %d degrees counter-clockwise', (_, { init, keyframes }, size, upright) => {
  const video = Buffer.concat([init, keyframes[0] as Uint8Array]);

  test('a picture is upright', async () => {
    const picture = await decodePicture(video, 320, signal);
    expect(picture).toMatchObject(size);
    expect(edges(picture)).toEqual(upright);
  });

  test('a picture is on its side where ffmpeg is told to leave it', async () => {
    const asked = pictureSize(shownSize(parseInit(init).video), 320);
    const args = await snapshotArguments(asked, false);
    const limits = { timeoutMs: 60_000, maxBytes: 1 << 20, signal };
    const { stdout } = await collect('ffmpeg', args, { stdin: video, ...limits });
    expect(edges({ pixels: stdout, ...asked })).toEqual(ON_ITS_SIDE);
  });
});

test('of pixels that are not square, a picture has the shape of what was filmed', async () => {
  const { init, keyframes } = videoOf(['-f', 'lavfi', '-i', 'testsrc2=size=320x360:duration=1,setsar=2/1']);
  const picture = await decodePicture(Buffer.concat([init, keyframes[0] as Uint8Array]), 640, signal);
  expect(picture).toMatchObject({ width: 640, height: 360 });
});

test.each<[string, number, number, { width: number; height: number }]>([
  ['as they are', 1, 0, { width: 720, height: 576 }],
  ['wider', 16 / 11, 0, { width: 1047, height: 576 }],
  ['turned', 1, 90, { width: 576, height: 720 }],
  ['wider, then turned', 16 / 11, 270, { width: 576, height: 1047 }],
  ['upside down', 16 / 11, 180, { width: 1047, height: 576 }],
])('pictures of 720 by 576 are shown %s', (_, pixelAspect, rotation, size) => {
  expect(shownSize({ width: 720, height: 576, pixelAspect, rotation: rotation as 0 })).toEqual(size);
});
