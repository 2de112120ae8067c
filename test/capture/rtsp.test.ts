import { readdirSync, readFileSync } from 'node:fs';
import { flows, type Line, makeClip, openLine, until } from './line.ts';
import { openRtspCamera, type RtspCamera } from './rtsp-camera.ts';

const PASSWORD = "s3cr3t'@ pw";
const ENCODED = 's3cr3t%27%40%20pw';

let line: Line;
let camera: RtspCamera;

beforeAll(async () => {
  line = openLine();
  const clip = makeClip(line.dir, 'clip.mp4', [
    ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-t', '4', '-c:v', 'libx264'],
    ...['-bf', '0', '-g', '25', '-pix_fmt', 'yuv420p'],
  ]);
  camera = await openRtspCamera(line.dir, clip, `eve:${PASSWORD}`);
}, 30_000);

afterAll(async () => {
  await line.close();
  await camera.close();
}, 30_000);

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

test('a listed camera is copied through over TCP, silence is a stall, and the password stays hidden', async () => {
  const authority = `127.0.0.1:${camera.port}`;
  const { runs } = line.startAgent();
  const { stop, ended } = line.startCapture({
    source: `rtsp://eve:${ENCODED}@${authority}/x`,
    lan: [authority],
    limits: { startMs: 10_000, silenceMs: 2000 },
  });
  await until('the camera’s video flows', () => flows(runs[0]));
  expect(line.state()).toMatchObject({ mode: 'copy', source: `rtsp://${authority}/x` });
  expect(camera.requests).toContain('PLAY true');
  expect(commandLines()).toContain('pipe,rtp,tcp,rtsp');
  expect(commandLines()).not.toContain('s3cr3t');

  camera.mute(true);
  await until('the silence is noticed', () => line.state().restarts.stalled === 1);
  camera.mute(false);
  await until('the video flows again', () => flows(runs.at(-1)) && (runs.at(-1)?.run ?? 0) > 1);
  stop();
  expect(await ended).toBe('stopped');
  expect(line.logged.join('\n')).not.toContain('s3cr3t');
}, 60_000);

test('a camera that refuses the password is tried again, and the password stays hidden', async () => {
  const authority = `127.0.0.1:${camera.port}`;
  line.startAgent();
  line.startCapture({ source: `rtsp://eve:wr0ng%20pw@${authority}/x`, lan: ['127.0.0.1'] });
  await until('two attempts', () => line.state().restarts.unprobed >= 2);
  expect(line.state().lastError).toMatchObject({ code: 'unprobed', line: expect.stringContaining('401') });
  expect(`${line.logged.join('\n')}${JSON.stringify(line.state())}`).not.toMatch(/wr0ng|eve/);
}, 60_000);
