import { fileOf } from '../sources/corpus.ts';
import { filmSource } from '../sources/film-source.ts';
import { judgeRecording } from '../sources/judge.ts';
import { recordingOf } from '../sources/recordings.ts';

/** A few of test/all/recordings.test.ts, on every day: each of another kind. */
const EVERYDAY = ['ts-aac.ts', 'b25.mp4', 'odd-159x89.mkv', 'h264.avi', 'cover.mkv'];
const LIMIT_MS = 120_000;

test.concurrent.each(EVERYDAY.map(recordingOf).map((recording) => [recording.name, recording] as const))(
  '%s',
  async (_, recording) => {
    const source = `file:${await fileOf(recording)}`;
    const wish = { source, audio: recording.audio === true, limitMs: LIMIT_MS };
    const { wrong } = await filmSource(wish, (filmed) => judgeRecording(recording, filmed));
    expect(wrong).toEqual([]);
  },
);
