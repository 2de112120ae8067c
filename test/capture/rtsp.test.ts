import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSource } from '../../agent/capture/source.ts';
import { collect } from '../../host/child.ts';
import { credentialsOf } from '../sources/credentials.ts';
import { type NetworkCamera, openNetworkCamera } from '../sources/network-camera.ts';
import { type CaptureRig, flows, makeClip, openCaptureRig, until } from './capture-process.ts';
import { SkippedClock } from './skipped-clock.ts';

const PASSWORD = "s3cr3t'@ pw";
const CREDENTIALS = credentialsOf(`eve:${PASSWORD}`, 'basic');
const ENCODED = 's3cr3t%27%40%20pw';

let line: CaptureRig;
let camera: NetworkCamera;

beforeAll(async () => {
  line = openCaptureRig();
  const clip = makeClip(line.dir, 'clip.mp4', [
    ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-t', '4', '-c:v', 'libx264'],
    ...['-bf', '0', '-g', '25', '-pix_fmt', 'yuv420p'],
  ]);
  camera = await openNetworkCamera({ file: clip, faults: { credentials: CREDENTIALS } });
});

afterAll(async () => {
  await line.close();
  await camera.close();
});

/** argv of every process there is. */
function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      } catch {
        return '';
      }
    })
    .join('\n');
}

test('a listed camera is copied through over TCP, silence is a stall, and the password stays hidden [TM-52] [KEY-11 where]', async () => {
  const authority = `127.0.0.1:${camera.port}`;
  const { feed, runs } = line.startAgent();
  const { stop, ended } = line.startCapture({
    source: `rtsp://eve:${ENCODED}@${authority}/x`,
    lan: [authority],
    limits: { startMs: 10_000, firstMs: 10_000, silenceMs: 2000 },
  });
  await until('the camera’s video flows', () => flows(runs[0]));
  expect(line.state()).toMatchObject({ mode: 'copy', source: `rtsp://${authority}/x` });
  expect(camera.events).toContainEqual(expect.objectContaining({ event: 'play' }));
  expect(commandLines()).toContain('pipe,rtp,tcp,rtsp');
  expect(commandLines()).not.toContain('s3cr3t');

  camera.mute(true);
  await until('the silence is noticed', () => line.state().restarts.stalled === 1);
  camera.mute(false);
  await until('the video flows again', () => flows(runs.at(-1)) && (runs.at(-1)?.run ?? 0) > 1);
  stop();
  expect(await ended).toBe('stopped');
  feed.close();
  expect(line.logged.join('\n')).not.toContain('s3cr3t');
});

test('[FC-62] timestamps that were given up are tried again an hour later, in a run that begins then', async () => {
  const clock = new SkippedClock();
  const { feed, runs } = line.startAgent();
  const source = `rtsp://eve:${ENCODED}@127.0.0.1:${camera.port}/x`;
  const { stop, ended } = line.startCapture({ source, lan: ['127.0.0.1'] }, clock);
  await until('the video flows', () => flows(runs[0]));
  feed.refuse('time');
  await until('it flows by the time of arrival', () => flows(runs[1]));
  expect(line.state()).toMatchObject({
    restarts: { time: 1 },
    givenUp: [{ what: 'stamps', because: 'time' }],
  });
  clock.skip(61 * 60_000);
  await until('the run is over', () => runs[1]?.ended === true);
  await until('it flows by its own timestamps', () => flows(runs[2]));
  expect(line.state()).toMatchObject({ restarts: { replanned: 1 }, givenUp: [] });
  stop();
  expect(await ended).toBe('stopped');
  feed.close();
});

test('a camera that refuses the password is tried again, and the password stays hidden', async () => {
  const authority = `127.0.0.1:${camera.port}`;
  line.startAgent();
  line.startCapture({ source: `rtsp://eve:wr0ng%20pw@${authority}/x`, lan: ['127.0.0.1'] });
  await until('two attempts', () => line.state().restarts.unprobed >= 2);
  expect(line.state().lastError).toMatchObject({ code: 'unprobed', cause: 'credentials-refused' });
  expect(`${line.logged.join('\n')}${JSON.stringify(line.state())}`).not.toMatch(/wr0ng|eve/);
});

describe('a camera that sends elsewhere', () => {
  let elsewhere: NetworkCamera;
  beforeAll(async () => {
    const clip = join(line.dir, 'clip.mp4');
    elsewhere = await openNetworkCamera({ file: clip, faults: { credentials: CREDENTIALS } });
  });
  afterAll(() => elsewhere.close(), 30_000);
  const url = (of: NetworkCamera) => `rtsp://eve:${ENCODED}@127.0.0.1:${of.port}/x`;

  test.each([
    ['at once', 1],
    ['once it has been looked at', 2],
  ])(
    '%s is given up, nothing of there is recorded, and where it sends to is said [TM-47]',
    async (_when, from) => {
      camera.redirect(url(elsewhere), from);
      const { runs } = line.startAgent();
      const { stop, ended } = line.startCapture({ source: url(camera), lan: ['127.0.0.1'] });
      await until('two attempts', () => line.state().restarts.redirected >= 2);
      expect(line.state().lastError).toEqual({
        code: 'redirected',
        line: `Status 302: Redirecting to rtsp://127.0.0.1:${elsewhere.port}/x`,
      });
      expect(runs.some((run) => flows(run))).toBe(false);
      stop();
      expect(await ended).toBe('stopped');
      expect(`${line.logged.join('\n')}${JSON.stringify(line.state())}`).not.toMatch(/s3cr3t|eve/);
    },
  );

  test('control: ffprobe by itself goes there and takes what it finds [TM-47]', async () => {
    camera.redirect(url(elsewhere), 1);
    const { options, url: from, stdin } = parseSource(url(camera), ['127.0.0.1']).input();
    const args = ['-v', 'error', '-show_entries', 'stream=codec_name', ...options, '-i', from];
    const done = await collect('ffprobe', args, {
      stdin: stdin ?? undefined,
      timeoutMs: 20_000,
      maxBytes: 10_000,
      signal: new AbortController().signal,
    });
    expect(done).toMatchObject({ code: 0 });
    expect(String(done.stdout)).toContain('h264');
    expect(elsewhere.events).toContainEqual(
      expect.objectContaining({ event: 'request', method: 'DESCRIBE', status: 200 }),
    );
  });
});
