import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ffmpeg } from './corpus.ts';
import { aac, beep, inStep, pattern, plain, seconds, withB, x264 } from './pattern.ts';
import type { Recording } from './recording.ts';

/** Recordings with several tracks, under odd names, cut off, and what is none. */

const cover = ['-f', 'lavfi', '-i', 'color=red:size=300x300:rate=1'];
const tracks: readonly Recording[] = [
  {
    name: 'a cover picture first, PNG in MP4',
    file: 'cover.mp4',
    make: [
      [...pattern(25), ...beep(), ...seconds(4), ...x264(50), ...aac, 'av.mp4'],
      [...cover, '-frames:v', '1', 'cover.png'],
      [
        ...['-i', 'av.mp4', '-i', 'cover.png', '-map', '1:v', '-map', '0', '-c', 'copy'],
        ...['-disposition:v:0', 'attached_pic', 'cover.mp4'],
      ],
    ],
    audio: true,
    right: { ...plain(100, 25, 'copy'), ...inStep(4) },
  },
  {
    name: 'a cover picture first, Matroska',
    file: 'cover.mkv',
    make: [
      [...pattern(25), ...seconds(4), ...x264(50), 'v.mp4'],
      [...cover, '-frames:v', '1', 'cover.jpg'],
      ['-i', 'v.mp4', '-i', 'cover.jpg', '-map', '1:v', '-map', '0:v', '-c', 'copy', 'cover.mkv'],
    ],
    right: plain(100, 25, 'copy'),
  },
  {
    name: 'several video tracks',
    file: 'tracks.mkv',
    make: [
      [
        ...[...pattern(25), ...pattern(25, '96x64'), ...beep(), ...seconds(4), '-map', '0:v', '-map', '1:v'],
        ...['-map', '2:a', ...x264(50), ...aac, 'tracks.mkv'],
      ],
    ],
    audio: true,
    right: { ...plain(100, 25, 'copy'), ...inStep(4) },
  },
  {
    name: 'a track for the time code, and subtitles',
    file: 'extra.mov',
    async make(directory) {
      writeFileSync(join(directory, 'words.srt'), '1\n00:00:00,000 --> 00:00:01,000\nwords\n');
      await ffmpeg(directory, [
        ...[...pattern(25), '-i', 'words.srt', ...seconds(4), '-map', '0:v', '-map', '1:s', ...x264(50)],
        ...['-c:s', 'mov_text', '-timecode', '01:02:03:04', 'extra.mov'],
      ]);
    },
    right: plain(100, 25, 'copy'),
  },
  {
    name: 'fragmented MP4',
    file: 'fragmented.mp4',
    make: [
      [
        ...[...pattern(25), ...beep(), ...seconds(4), ...withB(50), ...aac],
        ...['-movflags', '+frag_keyframe+empty_moov+delay_moov', 'fragmented.mp4'],
      ],
    ],
    audio: true,
    right: { ...plain(100, 25, 'copy'), ...inStep(4) },
  },
];

/** Files under names that trip programs up. */
const names = ['-dash.mp4', 'mit Leerzeichen ü 日本.mp4', '100%.mp4', 'what?.mp4', "it's #1 & @2.mp4"].map(
  (file): Recording => ({
    name: `a file named ${file}`,
    file,
    make: [[...pattern(25), ...seconds(2), ...x264(50), `./${file}`]],
    right: plain(50, 25, 'copy'),
  }),
);

const whole = [...pattern(25), ...seconds(6), ...x264(50)];
const cutOff = (form: string, file = `torn.${form}`, ...options: readonly string[]) => ({
  file,
  async make(directory: string) {
    await ffmpeg(directory, [...whole, ...options, `whole.${form}`]);
    const bytes = readFileSync(join(directory, `whole.${form}`));
    writeFileSync(join(directory, file), bytes.subarray(0, Math.floor(bytes.length / 2)));
  },
});
const refused: readonly Recording[] = [
  {
    name: '[FC-75] an MP4 that was cut off before its moov',
    ...cutOff('mp4'),
    right: { code: 'PROBE_FAILED', says: /moov|cut off|not whole/i },
  },
  {
    name: '[FC-75] an empty file',
    file: 'nothing.mp4',
    make: (directory) => writeFileSync(join(directory, 'nothing.mp4'), ''),
    right: { code: 'PROBE_FAILED', says: /empty/i },
  },
  {
    name: '[FC-75] noise',
    file: 'noise.mp4',
    make: (directory) => writeFileSync(join(directory, 'noise.mp4'), Uint8Array.from(noise(5000))),
    right: { code: 'PROBE_FAILED', says: /no video|not a video|format/i },
  },
  {
    name: '[FC-75] a directory',
    file: 'plain.mp4',
    make: (directory) => mkdirSync(join(directory, 'plain.mp4')),
    right: { code: 'PROBE_FAILED', says: /director/i },
  },
  {
    name: '[FC-75] sound alone',
    file: 'sound-only.mp4',
    make: [[...beep(), ...seconds(3), ...aac, 'sound-only.mp4']],
    right: { code: 'NO_VIDEO', says: /no video/i },
  },
  {
    name: '[FC-75] a cover picture and sound, no video',
    file: 'song.mp4',
    make: [
      [...beep(), ...seconds(3), ...aac, 'song.m4a'],
      [...cover, '-frames:v', '1', 'cover.jpg'],
      [
        '-i',
        'song.m4a',
        '-i',
        'cover.jpg',
        '-map',
        '0',
        '-map',
        '1',
        '-c',
        'copy',
        '-disposition:v',
        'attached_pic',
        'song.mp4',
      ],
    ],
    right: { code: 'NO_VIDEO', says: /no video/i },
  },
];

/** Bytes that are in no format, the same each time. */
function* noise(length: number): Generator<number> {
  for (let index = 0, state = 1; index < length; index++) {
    state = (state * 48_271) % 2_147_483_647;
    yield state & 255;
  }
}

/** What is cut off is played as far as it goes: a few frames may be torn. */
const played: readonly Recording[] = [
  {
    name: 'MPEG-TS that was cut off',
    ...cutOff('ts'),
    right: { ...plain(75, 25, 'copy'), open: [63, 90], torn: true },
  },
  ...[['mp4', 'torn-late.mp4', '-movflags', '+faststart'] as const, ['mkv'] as const].map(
    ([form, ...more]): Recording => ({
      name: `[FC-75] ${form} that was cut off after its head`,
      ...cutOff(form, ...more),
      right: {
        ...plain(75, 25, 'copy'),
        open: [50, 100],
        torn: true,
        broken: /cut off/,
      },
    }),
  ),
];

export const ODD_RECORDINGS: readonly Recording[] = [...tracks, ...played, ...names, ...refused];
