import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ffmpeg } from './corpus.ts';
import { aac, beep, inStep, pattern, plain, seconds, steady, withB, x264 } from './pattern.ts';
import type { Recording } from './recording.ts';

/** Recordings whose stamps jump, wrap, pause or are not there. */

const stamps: readonly Recording[] = [
  {
    name: 'MPEG-TS whose stamps pass 33 bits',
    file: 'wrap33.ts',
    make: [
      [
        ...pattern(25),
        ...beep(),
        ...seconds(8),
        ...x264(50),
        ...aac,
        '-output_ts_offset',
        '95440',
        'wrap33.ts',
      ],
    ],
    audio: true,
    right: { ...plain(200, 25, 'copy'), ...inStep(8) },
  },
  ...[
    ['a jump of 26 hours', 'jump-forth.ts', 10, 93_600],
    ['a jump back by 26 hours', 'jump-back.ts', 93_600, 10],
    ['a jump of a minute', 'jump-minute.ts', 10, 75],
    ['a jump back by 3 s', 'jump-small.ts', 10, 12],
  ].map(([name, file, first, second]): Recording => {
    const path = String(file);
    const part = (offset: number | string | undefined, to: string) => [
      ...[...pattern(25), ...seconds(5), ...x264(50), '-output_ts_offset', String(offset), to],
    ];
    return {
      name: `MPEG-TS with ${name} in it`,
      file: path,
      async make(directory) {
        await ffmpeg(directory, part(first, 'one.ts'));
        await ffmpeg(directory, part(second, 'two.ts'));
        const parts = ['one.ts', 'two.ts'].map((each) => readFileSync(join(directory, each)));
        writeFileSync(join(directory, path), Buffer.concat(parts));
      },
      right: plain(250, 25, 'copy'),
    };
  }),
  {
    name: '[FC-72] raw H.264, which has no stamps',
    file: 'raw.h264',
    make: [[...pattern(25), ...seconds(6), ...x264(50), 'raw.h264']],
    right: plain(150, 25, 'copy'),
  },
  {
    name: 'raw H.264 with B-frames: what has no stamps cannot be put in order without decoding',
    file: 'raw-b.h264',
    make: [[...pattern(25), ...seconds(6), ...withB(50), 'raw-b.h264']],
    right: plain(150, 25, 'encode'),
  },
  {
    name: '[FC-72] H.264 in AVI, which has no presentation times',
    file: 'h264.avi',
    make: [[...pattern(25), ...seconds(4), ...x264(50), 'h264.avi']],
    right: plain(100, 25, 'copy'),
  },
  {
    name: 'H.264 with B-frames in AVI',
    file: 'h264-b.avi',
    make: [[...pattern(25), ...seconds(6), ...withB(50), '-bsf:v', 'h264_mp4toannexb', 'h264-b.avi']],
    right: plain(150, 25, 'encode'),
  },
];

/** Frames at their true times, `-vsync vfr`. */
const VARIABLE = ['-fps_mode', 'vfr'];
const paused = (...parts: readonly (readonly [from: number, to: number])[]) =>
  parts.flatMap(([from, to]) => Array.from({ length: (to - from) * 25 }, (_, index) => from + index / 25));

const uneven: readonly Recording[] = [
  {
    name: '[FC-67] pauses of 8 s',
    file: 'gap.mp4',
    make: [
      [
        ...[...pattern(25), ...seconds(30), '-vf', "select='lt(t,4.99)+between(t,12.99,17.99)+gt(t,25.99)'"],
        ...[...VARIABLE, ...x264(50), 'gap.mp4'],
      ],
    ],
    right: { times: paused([0, 5], [13, 18], [26, 30]), end: 30, mode: 'copy', sizes: [[160, 90]] },
  },
  {
    name: '[FC-67] a frame each 5 s',
    file: 'slow.mp4',
    make: [[...pattern(1), '-vf', 'setpts=5*PTS', ...VARIABLE, ...x264(2), ...seconds(26), 'slow.mp4']],
    right: { times: [0, 5, 10, 15, 20, 25], end: 27.5, endApart: 2.6, mode: 'copy', sizes: [[160, 90]] },
  },
  {
    name: 'a variable frame rate',
    file: 'variable.mp4',
    make: [
      [
        ...[...pattern(25), ...seconds(6), '-vf', "select='lt(t,1.99)+not(mod(n,5))'", ...VARIABLE],
        ...[...x264(50), 'variable.mp4'],
      ],
    ],
    right: {
      times: [...steady(50, 25).times, ...Array.from({ length: 20 }, (_, index) => 2 + index / 5)],
      end: 6,
      endApart: 0.3,
      mode: 'copy',
      sizes: [[160, 90]],
    },
  },
  ...[
    ['1 frame/s', 1, 8],
    ['29.97 frames/s', 30_000 / 1001, 5],
    ['60 frames/s', 60, 5],
  ].map(([name, rate, length]): Recording => {
    const [fps, long] = [Number(rate), Number(length)];
    const file = `rate-${Math.round(fps)}.mp4`;
    return {
      name: String(name),
      file,
      make: [
        [
          ...pattern(fps === 30_000 / 1001 ? '30000/1001' : fps),
          ...seconds(long),
          ...x264(Math.ceil(2 * fps)),
          file,
        ],
      ],
      right: plain(Math.round(fps * long), fps, 'copy'),
    };
  }),
];

export const TIMED_RECORDINGS: readonly Recording[] = [...uneven, ...stamps];

/** Takes longer than others: what a probe of two minutes does not see. */
export const LATE_GOP: Recording = {
  name: '[FC-65] a long GOP that begins after two minutes',
  file: 'late-gop.mp4',
  async make(directory) {
    await ffmpeg(directory, [...pattern(10), ...seconds(122), ...x264(20), 'one.mp4']);
    await ffmpeg(directory, [...pattern(10), ...seconds(30), ...x264(300), 'two.mp4']);
    writeFileSync(join(directory, 'parts'), 'file one.mp4\nfile two.mp4\n');
    await ffmpeg(directory, ['-f', 'concat', '-i', 'parts', '-c', 'copy', 'late-gop.mp4']);
  },
  right: {
    ...plain(1520, 10, 'encode'),
    sizes: [
      [160, 90],
      [160, 90],
    ],
    causes: ['gop'],
  },
};
