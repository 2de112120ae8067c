import { fileOf } from '../sources/corpus.ts';
import { filmSource } from '../sources/film-source.ts';
import { judgeRecording } from '../sources/judge.ts';
import { LATE_GOP } from '../sources/timed-recordings.ts';

const LIMIT_MS = 500_000;

test(
  LATE_GOP.name,
  async () => {
    const source = `file:${await fileOf(LATE_GOP)}`;
    const { wrong } = await filmSource({ source, limitMs: LIMIT_MS }, (filmed) =>
      judgeRecording(LATE_GOP, filmed),
    );
    expect(wrong).toEqual([]);
  },
  2 * LIMIT_MS,
);
