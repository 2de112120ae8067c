import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ffmpeg } from './corpus.ts';
import { beep, inStep, pattern, plain, seconds, steady, x264 } from './pattern.ts';
import type { Recording } from './recording.ts';

/** Recordings with pictures of many kinds. */

const encoded: readonly Recording[] = [
  ...[
    ['159x90', [158, 90]],
    ['160x89', [160, 88]],
    ['159x89', [158, 88]],
    ['1x1', [2, 2]],
  ].map(([size, even]): Recording => {
    const file = `odd-${size}.mkv`;
    return {
      name: `[FC-70] MJPEG of ${size}`,
      file,
      make: [
        [
          ...[...pattern(10, '320x180'), ...seconds(4), '-vf', `scale=${String(size).replace('x', ':')}`],
          ...['-c:v', 'mjpeg', '-pix_fmt', 'yuvj444p', file],
        ],
      ],
      right: plain(40, 10, 'encode', even as [number, number]),
    };
  }),
  {
    name: '[FC-70] H.264 of odd size, 4:4:4',
    file: 'odd-444.mp4',
    make: [
      [
        ...[...pattern(25, '320x180'), ...seconds(4), '-vf', 'scale=159:89', '-c:v', 'libx264'],
        ...['-preset', 'ultrafast', '-pix_fmt', 'yuv444p', '-g', '50', 'odd-444.mp4'],
      ],
    ],
    right: plain(100, 25, 'encode', [158, 88]),
  },
  {
    name: 'raw video in AVI',
    file: 'raw.avi',
    make: [[...pattern(10), ...seconds(4), '-c:v', 'rawvideo', '-pix_fmt', 'yuv420p', 'raw.avi']],
    right: plain(40, 10, 'encode'),
  },
  {
    name: 'raw video of odd size, YUYV',
    file: 'raw-yuyv.nut',
    make: [
      [
        ...pattern(10),
        ...seconds(4),
        '-vf',
        'scale=158:89',
        '-c:v',
        'rawvideo',
        '-pix_fmt',
        'yuyv422',
        'raw-yuyv.nut',
      ],
    ],
    right: plain(40, 10, 'encode', [158, 88]),
  },
  ...[
    [
      'HEVC',
      'hevc.mp4',
      ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:keyint=50'],
    ],
    [
      '10 bits, 4:2:2',
      'hi422.mp4',
      ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-pix_fmt', 'yuv422p10le'],
    ],
    ['MPEG-4 with B-frames in AVI', 'mpeg4.avi', ['-c:v', 'mpeg4', '-bf', '2', '-g', '50']],
    ['MPEG-2 in MPEG-TS', 'mpeg2.ts', ['-c:v', 'mpeg2video', '-bf', '2', '-g', '25']],
    [
      'VP9 in WebM',
      'vp9.webm',
      ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-g', '50'],
    ],
  ].map(([name, file, codec]): Recording => {
    const path = String(file);
    return {
      name: String(name),
      file: path,
      make: [[...pattern(25), ...seconds(4), ...(codec as string[]), path]],
      right: plain(100, 25, 'encode'),
    };
  }),
  {
    name: 'MJPEG and PCM, encoded with sound',
    file: 'webcam.avi',
    make: [
      [
        ...[...pattern(10), ...beep(), ...seconds(5), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj422p'],
        ...['-c:a', 'pcm_s16le', '-ar', '16000', 'webcam.avi'],
      ],
    ],
    audio: true,
    right: { ...plain(50, 10, 'encode'), ...inStep(5) },
  },
];

const pictures: readonly Recording[] = [
  {
    name: 'interlaced',
    file: 'interlaced.mp4',
    make: [
      [
        ...[
          ...pattern(25, '160x96'),
          ...seconds(4),
          '-c:v',
          'libx264',
          '-preset',
          'ultrafast',
          '-g',
          '50',
          '-bf',
          '0',
        ],
        ...['-flags', '+ildct+ilme', '-x264-params', 'tff=1', '-pix_fmt', 'yuv420p', 'interlaced.mp4'],
      ],
    ],
    right: plain(100, 25, 'copy', [160, 96]),
  },
  {
    name: 'pixels that are not square',
    file: 'sar.mp4',
    make: [[...pattern(25), ...seconds(4), '-vf', 'setsar=16/15', ...x264(50), 'sar.mp4']],
    right: plain(100, 25, 'copy'),
  },
  {
    name: '[FC-73] turned by 90°',
    file: 'rotated.mp4',
    async make(directory) {
      await ffmpeg(directory, [...pattern(25), ...seconds(4), ...x264(50), 'upright.mp4']);
      writeFileSync(join(directory, 'rotated.mp4'), turned(readFileSync(join(directory, 'upright.mp4'))));
    },
    right: { ...plain(100, 25, 'copy'), rotation: -90 },
  },
  {
    name: 'large frames',
    file: 'large.mp4',
    make: [
      [
        ...[
          '-f',
          'lavfi',
          '-i',
          "nullsrc=s=480x270:r=5,geq=lum='random(1)*255':cb=128:cr=128",
          ...seconds(3),
        ],
        ...[
          '-vf',
          'scale=1920:1080:flags=neighbor,noise=alls=60:allf=t',
          '-c:v',
          'libx264',
          '-preset',
          'ultrafast',
        ],
        ...['-tune', 'zerolatency', '-g', '10', '-qp', '22', '-pix_fmt', 'yuv420p', 'large.mp4'],
      ],
    ],
    right: plain(15, 5, 'copy', [1920, 1080]),
  },
  {
    name: 'intra refresh: one keyframe, then none',
    file: 'refresh.mp4',
    make: [
      [
        ...[...pattern(10), ...seconds(24), '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0'],
        ...['-pix_fmt', 'yuv420p', '-x264-params', 'intra-refresh=1:keyint=20:scenecut=0', 'refresh.mp4'],
      ],
    ],
    right: plain(240, 10, 'copy'),
  },
  {
    name: '[FC-65] a GOP of 25 s',
    file: 'long-gop.mp4',
    make: [[...pattern(10), ...seconds(26), ...x264(250), 'long-gop.mp4']],
    right: plain(260, 10, 'encode'),
  },
  {
    name: '[FC-69] a new size in the stream, MPEG-TS',
    file: 'new-size.ts',
    async make(directory) {
      await ffmpeg(directory, [...pattern(25), ...seconds(4), ...x264(50), 'one.ts']);
      const two = [...pattern(25, '192x108'), ...seconds(4), ...x264(50), '-output_ts_offset', '4', 'two.ts'];
      await ffmpeg(directory, two);
      const parts = ['one.ts', 'two.ts'].map((each) => readFileSync(join(directory, each)));
      writeFileSync(join(directory, 'new-size.ts'), Buffer.concat(parts));
    },
    right: {
      ...steady(200, 25),
      mode: 'copy',
      sizes: [
        [160, 90],
        [192, 108],
      ],
    },
  },
  {
    name: '[FC-69] a new size in the stream, raw H.264',
    file: 'new-size.h264',
    async make(directory) {
      await ffmpeg(directory, [...pattern(25), ...seconds(4), ...x264(50), 'one.h264']);
      await ffmpeg(directory, [...pattern(25, '192x108'), ...seconds(4), ...x264(50), 'two.h264']);
      const parts = ['one.h264', 'two.h264'].map((each) => readFileSync(join(directory, each)));
      writeFileSync(join(directory, 'new-size.h264'), Buffer.concat(parts));
    },
    right: {
      ...steady(200, 25),
      mode: 'copy',
      sizes: [
        [160, 90],
        [192, 108],
      ],
    },
  },
  {
    name: 'a pause of 3 s, encoded: each picture once',
    file: 'pause-encoded.mkv',
    make: [
      [
        ...[...pattern(10), ...seconds(5), '-vf', "select='lt(t,0.95)+gte(t,3.95)'", '-fps_mode', 'vfr'],
        ...['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', 'pause-encoded.mkv'],
      ],
    ],
    right: {
      ...plain(50, 10, 'encode'),
      times: steady(50, 10).times.filter((time) => time < 0.95 || time >= 3.95),
    },
  },
  {
    name: 'a beginning without a keyframe, MPEG-TS',
    file: 'cut.ts',
    async make(directory) {
      await ffmpeg(directory, [...pattern(25), ...seconds(6), ...x264(50), 'whole.ts']);
      const whole = readFileSync(join(directory, 'whole.ts'));
      writeFileSync(join(directory, 'cut.ts'), whole.subarray(Math.floor(whole.length / 8 / 188) * 188));
    },
    right: { ...plain(150, 25, 'copy'), open: [99, 150] },
  },
  {
    name: 'a beginning without a keyframe, H.265: no smeared pictures',
    file: 'cut-hevc.ts',
    async make(directory) {
      const gop = 'log-level=none:keyint=50:min-keyint=50:scenecut=0:bframes=0';
      const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', gop];
      await ffmpeg(directory, [...pattern(25), ...seconds(6), ...hevc, 'whole-hevc.ts']);
      const whole = readFileSync(join(directory, 'whole-hevc.ts'));
      writeFileSync(join(directory, 'cut-hevc.ts'), whole.subarray(Math.floor(whole.length / 8 / 188) * 188));
    },
    right: plain(100, 25, 'encode'),
  },
];

/** An MP4 whose one track is to be turned clockwise by 90° (ISO 14496-12 section 8.3.2, the matrix of `tkhd`). */
function turned(movie: Buffer): Buffer {
  const [matrixAfter, one] = [44, 0x10000];
  const at = movie.indexOf('tkhd', 0, 'latin1') + matrixAfter;
  for (const [index, value] of [0, one, 0, -one, 0, 0, 0, 0, 0x40000000].entries()) {
    movie.writeInt32BE(value, at + index * 4);
  }
  return movie;
}

export const PICTURE_RECORDINGS: readonly Recording[] = [...pictures, ...encoded];
