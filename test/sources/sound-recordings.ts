import { aac, beep, inStep, pattern, plain, seconds, withB, x264 } from './pattern.ts';
import type { Recording } from './recording.ts';

/** Recordings with sound: of many kinds, late, early, and beside pictures that are out of order. */

/** The same film in several containers and with several kinds of sound. */
const SOUNDS: readonly (readonly [name: string, form: string, ...codec: string[]])[] = [
  ['AAC in MP4', 'mp4', 'aac'],
  ['AAC in Matroska', 'mkv', 'aac'],
  ['PCM in QuickTime', 'mov', 'pcm_s16le'],
  ['PCM in AVI', 'avi', 'pcm_s16le'],
  ['Opus in Matroska', 'mkv', 'libopus'],
  ['MP3 in MP4', 'mp4', 'libmp3lame'],
  ['AC-3 in MPEG-TS', 'ts', 'ac3'],
  ['MP2 in MPEG-TS', 'ts', 'mp2'],
  ['G.711 in QuickTime', 'mov', 'pcm_alaw', '-ar', '8000'],
];

const sounds = SOUNDS.map(
  ([name, form, codec = '', ...more], index): Recording => ({
    name: `sound: ${name}`,
    file: `sound-${index}.${form}`,
    make: [
      [
        ...pattern(25),
        ...beep(),
        ...seconds(5),
        ...x264(50),
        '-c:a',
        codec,
        ...more,
        `sound-${index}.${form}`,
      ],
    ],
    audio: true,
    right: { ...plain(125, 25, 'copy'), ...inStep(5) },
  }),
);

const dropped: Recording = {
  name: 'sound that is not wanted is dropped',
  file: 'sound-dropped.ts',
  make: [[...pattern(25), ...beep(), ...seconds(4), ...x264(50), ...aac, 'sound-dropped.ts']],
  right: plain(100, 25, 'copy'),
};

const adts: Recording = {
  name: '[FC-68] AAC in MPEG-TS',
  file: 'ts-aac.ts',
  make: [[...pattern(25), ...beep(), ...seconds(4), ...x264(50), ...aac, 'ts-aac.ts']],
  audio: true,
  right: { ...plain(100, 25, 'copy'), ...inStep(4) },
};

const reordered = [
  ['25 frames/s in MP4', 'b25.mp4', 25, 4],
  ['10 frames/s in MP4', 'b10.mp4', 10, 6],
  ['25 frames/s in Matroska', 'b25.mkv', 25, 6],
  ['10 frames/s in MPEG-TS', 'b10.ts', 10, 6],
].map(([name, file, rate, length]): Recording => {
  const [path, fps, long] = [String(file), Number(rate), Number(length)];
  return {
    name: `[FC-31] B-frames with sound at ${name}`,
    file: path,
    make: [[...pattern(fps), ...beep(), ...seconds(long), ...withB(fps * 2), ...aac, path]],
    audio: true,
    right: { ...plain(fps * long, fps, 'copy'), ...inStep(long) },
  };
});

const lateAndEarly: readonly Recording[] = [
  {
    name: 'sound in a format that is not decoded here: its pictures',
    file: 'undecoded.mkv',
    make: [
      [
        ...[...beep(), ...pattern(25), ...seconds(4), '-map', '0', '-map', '1', ...x264(50), '-c:a', 'wmav2'],
        'undecoded.mkv',
      ],
    ],
    audio: true,
    right: plain(100, 25, 'encode'),
  },
  {
    name: 'sound that starts 1.5 s late',
    file: 'late-sound.mp4',
    make: [
      [
        ...[...pattern(25), ...beep('-itsoffset', '1.5', '-ss', '1.5'), ...seconds(5), ...x264(50)],
        ...[...aac, 'late-sound.mp4'],
      ],
    ],
    audio: true,
    right: { ...plain(125, 25, 'copy'), ...inStep(5) },
  },
  {
    name: 'sound that ends early',
    file: 'short-sound.mp4',
    make: [[...pattern(25), ...beep('-t', '2.5'), ...seconds(6), ...x264(50), ...aac, 'short-sound.mp4']],
    audio: true,
    right: { ...plain(150, 25, 'copy'), ...inStep(2.5) },
  },
  {
    name: 'sound that ends 12 s early, encoded',
    file: 'short-sound.mkv',
    make: [
      [
        ...[...pattern(10), ...beep('-t', '3'), ...seconds(15), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p'],
        ...['-c:a', 'pcm_s16le', 'short-sound.mkv'],
      ],
    ],
    audio: true,
    right: { ...plain(150, 10, 'encode'), ...inStep(3) },
  },
  {
    name: 'pictures that start 1.5 s late',
    file: 'late-pictures.mkv',
    make: [
      [
        ...[...pattern(25), ...beep(), ...seconds(5), '-vf', "select='gte(t,1.49)'", '-fps_mode', 'vfr'],
        ...[...x264(50), ...aac, 'late-pictures.mkv'],
      ],
    ],
    audio: true,
    right: { ...plain(87, 25, 'copy'), ...inStep(3.48) },
  },
];

/** Ends in the middle of a GOP, so that an edit list hides what stands before it. */
const edited: readonly Recording[] = [
  {
    name: 'an edit list that hides the beginning of a GOP, B-frames and sound',
    file: 'edited.mp4',
    make: [
      [...pattern(25), ...beep(), ...seconds(6), ...withB(50), ...aac, 'whole.mp4'],
      ['-ss', '1', '-i', 'whole.mp4', '-c', 'copy', 'edited.mp4'],
    ],
    audio: true,
    // What is hidden may be kept: a recording loses nothing by it.
    right: { ...plain(125, 25, 'copy'), ...inStep(), open: [125, 150] },
  },
  {
    name: 'a start before 0',
    file: 'negative.mov',
    make: [
      [
        ...[...pattern(25), ...beep(), ...seconds(5), ...withB(50), ...aac],
        ...['-output_ts_offset', '-0.5', '-avoid_negative_ts', 'disabled', 'negative.mov'],
      ],
    ],
    audio: true,
    // ffmpeg itself puts sound and picture 20 ms apart in it.
    right: { ...plain(125, 25, 'copy'), ...inStep(5, 0.041), open: [112, 125] },
  },
];

export const SOUND_RECORDINGS: readonly Recording[] = [
  ...lateAndEarly,
  adts,
  ...reordered,
  ...sounds,
  dropped,
  ...edited,
];
