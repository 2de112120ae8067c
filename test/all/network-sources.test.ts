import { until } from '../e2e/until.ts';
import { fileOf } from '../sources/corpus.ts';
import type { Faults } from '../sources/faults.ts';
import { type FilmingCamera, filmSource } from '../sources/film-source.ts';
import type { Verdict } from '../sources/judge.ts';
import { judgeNetwork } from '../sources/network-judge.ts';
import { isRefused, NETWORK_SOURCES, type NetworkSource } from '../sources/network-sources.ts';
import { startAll } from '../sources/pool.ts';
import { type StartedCamera, startRtspCamera } from '../sources/start-rtsp-camera.ts';
import { judged, wanted } from '../sources/table.ts';

/** Network cameras with the faults that cameras have, recorded to the opened film. */

const sources = wanted(NETWORK_SOURCES);
const AT_ONCE = 12;
/** For the first PLAY of a camera that is busy, slow, or one of many. */
const PATIENCE_MS = 60_000;

/** When the camera filmed the first frame of its clip, milliseconds since 1970. */
function startOf({ readyAt, events }: StartedCamera, { offset = 0, restartPerClient }: Faults): number {
  const played = restartPerClient === true ? (events.findLast(({ event }) => event === 'play')?.at ?? 0) : 0;
  return readyAt + played - offset * 1000;
}

/** From the first PLAY to the first picture: a machine that takes longer is given as much more in the end, up to so much. */
const FIRST_PICTURE_MS = 2_500;
const LATEST_MS = 10_000;

/** Until it was filmed as long as that takes, by its own time; or was refused twice. */
async function enough({ right, seconds }: NetworkSource, camera: StartedCamera, filming: FilmingCamera) {
  if (isRefused(right)) {
    const restarts = () => Object.values(filming.capture()?.restarts ?? {});
    await until('two attempts', () => restarts().reduce((sum, count) => sum + count, 0) >= 2);
    return;
  }
  const play = await until('it plays', () => camera.events.find(({ event }) => event === 'play'));
  const playedMs = () => (camera.events.at(-1)?.at ?? 0) - play.at;
  const isRecorded = () => (filming.status()?.capturedSeconds ?? 0) > 0;
  await until('it is recorded', () => isRecorded() || playedMs() >= seconds * 1000);
  const lateMs = Math.min(LATEST_MS, Math.max(0, playedMs() - FIRST_PICTURE_MS));
  await until('it has played', () => playedMs() >= seconds * 1000 + (isRecorded() ? lateMs : 0));
}

let verdicts: ReadonlyMap<NetworkSource, Promise<Verdict>>;
beforeAll(() => {
  verdicts = startAll(sources, AT_ONCE, film);
});

async function film(source: NetworkSource): Promise<Verdict> {
  const { clip, other, faults = {}, fps = clip.fps, audio, userInfo = '', seconds } = source;
  const file = await fileOf(clip);
  const switchTo = other && faults.switchTo && { ...faults.switchTo, file: await fileOf(other) };
  const camera = await startRtspCamera({
    ...{ file, fps, hevc: clip.file.endsWith('.hevc') },
    faults: { ...faults, ...(switchTo && { switchTo }) },
  });
  try {
    const wish = {
      source: `rtsp://${userInfo}127.0.0.1:${camera.port}/x`,
      audio: audio === true,
      enough: (filming: FilmingCamera) => enough(source, camera, filming),
      limitMs: seconds * 1000 + PATIENCE_MS,
    };
    return await filmSource(wish, (filmed) => {
      const sender = { startMs: startOf(camera, faults), fps, frames: clip.frames };
      return judgeNetwork(source, filmed, sender);
    });
  } finally {
    await camera.close();
  }
}

test.each(sources.map((source) => [source.name, source] as const))('%s', async (name, source) => {
  expect(await judged(name, verdicts.get(source))).toMatchObject({ wrong: [] });
});
