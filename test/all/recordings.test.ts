import { fileOf } from '../sources/corpus.ts';
import { filmSource } from '../sources/film-source.ts';
import { judgeRecording, type Verdict } from '../sources/judge.ts';
import { startAll } from '../sources/pool.ts';
import { isRefusal, type Recording } from '../sources/recording.ts';
import { RECORDINGS } from '../sources/recordings.ts';
import { judged, wanted } from '../sources/table.ts';

/** Every form of recording, played through capture, recorder, spool and server to the opened film. */

const recordings = wanted(RECORDINGS);
const AT_ONCE = 10;
/** What a camera takes beside the playing itself, on a machine that does ten of them at once. */
const PATIENCE_MS = 30_000;

let verdicts: ReadonlyMap<Recording, Promise<Verdict>>;
beforeAll(() => {
  verdicts = startAll(recordings, AT_ONCE, async (recording) => {
    const path = await fileOf(recording);
    const lasts = isRefusal(recording.right) ? 0 : recording.right.end;
    const wish = {
      source: `file:${path}`,
      audio: recording.audio === true,
      limitMs: lasts * 1500 + PATIENCE_MS,
    };
    return filmSource(wish, (filmed) => judgeRecording(recording, filmed));
  });
});

test.each(recordings.map((recording) => [recording.name, recording] as const))(
  '%s',
  async (name, recording) => {
    expect(await judged(name, verdicts.get(recording))).toMatchObject({ wrong: [] });
  },
);
