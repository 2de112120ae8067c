import fc from 'fast-check';
import type { FfmpegResult } from '../../agent/capture/ffmpeg-runner.ts';
import { formatSize } from '../../agent/capture/frame-size.ts';
import { parseSource } from '../../agent/capture/source.ts';
import type { V4l2Source } from '../../agent/capture/sources/v4l2.ts';
import { chooseMode, parseFormats } from '../../agent/capture/sources/v4l2-modes.ts';

/** What devices say to `ffmpeg -f v4l2 -list_formats all`, as people have posted it, and as libavdevice prints it. */
const V4L2 = '[video4linux2,v4l2 @ 0x55d0c1]';
const said = (...lines: string[]) =>
  [...lines.map((line) => `${V4L2} ${line}`), '/dev/video0: Immediate exit requested', ''].join('\n');

// A UVC camera of 2012: more H.264 and MJPEG than raw, sizes in the driver's order.
const C920 = said(
  'Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 160x90 320x240 800x600 1280x720 1920x1080 2304x1536',
  'Compressed:        h264 :                H.264 : 640x480 160x90 320x240 800x600 1280x720 1920x1080',
  'Compressed:       mjpeg :          Motion-JPEG : 640x480 160x90 320x240 800x600 1280x720 1920x1080',
);
const WEBCAM = said(
  'Compressed:       mjpeg :          Motion-JPEG : 2560x1440 1920x1080 1280x720 640x480 640x360 320x240',
  'Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 640x360 320x240',
);
// The Raspberry Pi's own camera, through bcm2835-v4l2: ranges, and MJPEG twice.
const PI = said(
  'Raw       :     yuv420p :     Planar YUV 4:2:0 : {32-2592, 2}x{32-1944, 2}',
  'Raw       :     yuyv422 :           YUYV 4:2:2 : {32-2592, 2}x{32-1944, 2}',
  'Raw       :       rgb24 :     24-bit RGB 8-8-8 : {32-2592, 2}x{32-1944, 2}',
  'Compressed:       mjpeg :            JFIF JPEG : {32-2592, 2}x{32-1944, 2}',
  'Compressed:        h264 :                H.264 : {32-2592, 2}x{32-1944, 2}',
  'Compressed:       mjpeg :          Motion-JPEG : {32-2592, 2}x{32-1944, 2}',
  'Raw       : Unsupported :           YVYU 4:2:2 : {32-2592, 2}x{32-1944, 2}',
);
const MANY = '320x180 640x360 640x480 1280x720 1920x1080 3840x2160';
// vivid of Linux 6.12, some of its 85 formats, as ffmpeg 7.1 prints them.
const VIVID = said(
  `Raw       :     yuyv422 :           YUYV 4:2:2 : ${MANY}`,
  `Raw       :     uyvy422 :           UYVY 4:2:2 : ${MANY}`,
  `Raw       : Unsupported :           YVYU 4:2:2 : ${MANY}`,
  `Raw       :     yuv422p :     Planar YUV 4:2:2 : ${MANY}`,
  `Raw       :     yuv420p :     Planar YUV 4:2:0 : ${MANY}`,
  `Raw       :     yuv420p :     Planar YVU 4:2:0 : ${MANY}`,
  `Raw       :        nv12 :           Y/UV 4:2:0 : ${MANY}`,
  `Raw       :        nv16 :           Y/UV 4:2:2 : ${MANY}`,
  `Raw       : Unsupported : 16-bit A/XYUV 1-5-5-5 : ${MANY}`,
  `Raw       :        gray :      8-bit Greyscale : ${MANY}`,
  `Raw       :    gray16le :     16-bit Greyscale : ${MANY}`,
  `Raw       :       rgb24 :     24-bit RGB 8-8-8 : ${MANY}`,
  `Raw       :        0rgb : 32-bit A/XRGB 8-8-8-8 : ${MANY}`,
  `Raw       :        bgr0 : 32-bit BGRA/X 8-8-8-8 : ${MANY}`,
  `Raw       : bayer_bggr8 : 8-bit Bayer BGBG/GRGR : ${MANY}`,
  `Raw       : bayer_gbrg8 : 8-bit Bayer GBGB/RGRG : ${MANY}`,
);
const DEPTH = said(
  'Raw       : Unsupported :         16-bit Depth : 480x270 640x480 1280x720',
  'Raw       :        gray :      8-bit Greyscale : 480x270 640x480',
  'Raw       :    gray16le :     16-bit Greyscale : 480x270 640x480',
);
const NOTHING_WANTED = { format: null, size: null, rate: null };
const size = (text: string) => {
  const [width = 0, height = 0] = text.split('x').map(Number);
  return { width, height };
};
const shown = ({ format, size, rate }: ReturnType<typeof chooseMode>) =>
  [format, size === null ? null : formatSize(size), rate].join(' ');

describe('[FC-74] the list of a device', () => {
  test('formats by ffmpeg’s names, single sizes and ranges, a format listed twice', () => {
    const formats = parseFormats(PI);
    expect(formats.map(({ name }) => name)).toEqual(['yuv420p', 'yuyv422', 'rgb24', 'mjpeg', 'h264']);
    const range = { min: size('32x32'), max: size('2592x1944'), step: size('2x2') };
    expect(formats[0]?.sizes).toEqual([range]);
    expect(parseFormats(WEBCAM)[1]).toEqual({
      name: 'yuyv422',
      sizes: ['640x480', '640x360', '320x240'].map((one) => ({
        min: size(one),
        max: size(one),
        step: size('1x1'),
      })),
    });
  });

  test('with a level, with an emulated format, without sizes, and of 7.1', () => {
    const text = [
      `${V4L2} [info] Raw       :       bgr24 :                 BGR3 : Emulated : 640x480 320x240`,
      `${V4L2} [info] Compressed:        h264 :                H.264 :`,
      '[in#0 @ 0x55d0c8a1e000] Error opening input: Immediate exit requested',
      'Error opening input file /dev/video0.',
    ].join('\n');
    expect(parseFormats(text).map(({ name, sizes }) => [name, sizes.length])).toEqual([
      ['bgr24', 2],
      ['h264', 0],
    ]);
  });

  test('whatever a device says, what is read is bounded [TM-48]', () => {
    const line = (name: number) => `${V4L2} Raw : f${name} : x :${' 640x480'.repeat(1000)}`;
    const formats = parseFormats(Array.from({ length: 100 }, (_, name) => line(name)).join('\n'));
    expect(formats).toHaveLength(32);
    expect(formats[0]?.sizes).toHaveLength(256);
    fc.assert(
      fc.property(fc.string(), fc.nat(99999), fc.nat(99999), (text, from, by) => {
        const odd = `${V4L2} Raw : yuyv422 : ${text} : {${from}-${by}, ${by}}x{${by}-${from}, 0}`;
        for (const each of [text, odd]) {
          const mode = chooseMode(parseFormats(each), NOTHING_WANTED);
          if (mode.size !== null) expect(mode.size.width % 2).toBe(0);
        }
      }),
    );
  });
});

describe('[FC-74] the mode that is asked for', () => {
  test.each<[string, string, string, string]>([
    ['H.264 of the camera’s own, at most Full HD', C920, '', 'h264 1920x1080 30'],
    ['of a range too', PI, '', 'h264 1920x1080 30'],
    ['else MJPEG, at most HD', WEBCAM, '', 'mjpeg 1280x720 30'],
    ['else raw at VGA', VIVID, '', 'yuyv422 640x480 30'],
    [
      'MJPEG that is larger than HD alone',
      said('Compressed: mjpeg : x : 1920x1080 1600x1200'),
      '',
      'mjpeg 1600x1200 30',
    ],
    ['MJPEG below HD', said('Compressed: mjpeg : x : 639x359 640x480 1280x1024'), '', 'mjpeg 640x480 30'],
    ['odd sizes alone', said('Compressed: mjpeg : x : 639x359'), '', 'mjpeg  30'],
    [
      'a range that begins odd',
      said('Compressed: mjpeg : x : {33-999, 1}x{17-555, 1}'),
      '',
      'mjpeg 998x554 30',
    ],
    ['raw next to VGA', said('Raw : yuyv422 : x : 160x120 320x240 800x600'), '', 'yuyv422 800x600 30'],
    ['raw that is large alone', said('Raw : yuyv422 : x : 1920x1080 1280x720'), '', 'yuyv422 1280x720 30'],
    [
      'another raw format',
      said('Raw : gray : x : 640x480', 'Raw : nv12 : x : 640x480'),
      '',
      'nv12 640x480 30',
    ],
    [
      'raw before HEVC',
      said('Compressed: hevc : x : 1280x720', 'Raw : nv12 : x : 640x480'),
      '',
      'nv12 640x480 30',
    ],
    ['HEVC alone', said('Compressed: hevc : x : 1920x1080 1280x720'), '', 'hevc 1280x720 30'],
    ['a format without sizes', said('Compressed: h264 : H.264 :'), '', 'h264  30'],
    ['a device that lists nothing', said(), '', '  30'],
    ['the format asked for', C920, '?format=mjpeg', 'mjpeg 1280x720 30'],
    ['a raw one', C920, '?format=yuyv422', 'yuyv422 640x480 30'],
    ['a grey one', DEPTH, '?format=gray', 'gray 640x480 30'],
    ['the size asked for', C920, '?size=1280x720', 'h264 1280x720 30'],
    ['one that the best format lacks', C920, '?size=2304x1536', 'yuyv422 2304x1536 30'],
    ['one of a range', PI, '?size=1000x700', 'h264 1000x700 30'],
    [
      'one where the driver lists none',
      said('Compressed: h264 : H.264 :'),
      '?size=1280x720',
      'h264 1280x720 30',
    ],
    ['the rate asked for', C920, '?rate=12.5', 'h264 1920x1080 12.5'],
    ['all three', C920, '?format=yuyv422&size=320x240&rate=5', 'yuyv422 320x240 5'],
    [
      'all three of a device that lists nothing',
      said(),
      '?format=yuyv422&size=320x240&rate=5',
      'yuyv422 320x240 5',
    ],
  ])('%s', (_, list, options, mode) => {
    const wanted = parseSource(`v4l2:/dev/video0${options}`, []) as V4l2Source;
    expect(shown(chooseMode(parseFormats(list), wanted))).toBe(mode);
  });

  test.each<[string, string, string, string]>([
    ['a format', WEBCAM, '?format=h264', 'h264; it has mjpeg, yuyv422'],
    [
      'a format among many',
      VIVID,
      '?format=mjpeg',
      'mjpeg; it has yuyv422, uyvy422, yuv422p, yuv420p, nv12, nv16, gray, gray16le, rgb24, 0rgb, bgr0, bayer_bggr8, …',
    ],
    [
      'a size',
      WEBCAM,
      '?size=800x600',
      '800x600; it has 2560x1440, 1920x1080, 1280x720, 640x480, 640x360, 320x240',
    ],
    [
      'a size in that format',
      WEBCAM,
      '?format=yuyv422&size=1280x720',
      'yuyv422 1280x720; of yuyv422 it has 640x480, 640x360, 320x240',
    ],
    [
      'a size off a range’s steps',
      said('Raw : nv12 : x : {64-640, 32}x{64-480, 32}'),
      '?size=100x64',
      '100x64; it has 64x64 to 640x480',
    ],
  ])('%s that the camera does not have is refused with what it has', (_, list, options, words) => {
    const wanted = parseSource(`v4l2:/dev/video0${options}`, []) as V4l2Source;
    expect(() => chooseMode(parseFormats(list), wanted)).toThrow(
      expect.objectContaining({
        code: 'SOURCE_OPTION',
        why: 'device-mode',
        message: `the camera does not have ${words}`,
      }),
    );
  });

  test('a node of depth and grey pictures is refused', () => {
    expect(() => chooseMode(parseFormats(DEPTH), NOTHING_WANTED)).toThrow(
      expect.objectContaining({ code: 'NO_VIDEO', why: 'device-colourless' }),
    );
  });
});

describe('[FC-74] a device', () => {
  const source = parseSource('v4l2:/dev/video0?rate=30000/1001', []);
  const listing = (stderr: string) => async (): Promise<FfmpegResult> => ({ code: 1, stdout: '', stderr });

  test('is opened in the mode that was chosen', async () => {
    const facts = await source.probe(listing(WEBCAM));
    expect(source.chosenBy(facts).input().options.join(' ')).toMatch(
      /-f v4l2 -input_format mjpeg -video_size 1280x720 -framerate 30000\/1001$/,
    );
  });

  test('of formats that ffmpeg has no name for is refused', async () => {
    const depth = said('Raw       : Unsupported :         16-bit Depth : 480x270 640x480');
    await expect(source.probe(listing(depth))).rejects.toMatchObject({ why: 'device-colourless' });
  });

  test.each([
    ['device-missing', 'Cannot open video device /dev/video0: No such file or directory'],
    ['device-busy', 'Cannot open video device /dev/video0: Device or resource busy'],
    ['device-not-capture', 'Not a video capture device.'],
  ])('that cannot be opened is refused with the cause: %s', async (why, line) => {
    await expect(source.probe(listing(said(line)))).rejects.toMatchObject({
      code: 'PROBE_FAILED',
      why,
    });
  });
});
