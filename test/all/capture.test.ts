import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFifo } from '../../host/fifo.ts';
import {
  type CaptureRig,
  flows,
  makeClip,
  openCaptureRig,
  probe,
  type SeenRun,
  until,
} from '../capture/capture-process.ts';

const PATTERN = 'test:?size=320x240&rate=25';
const SHORT_LIMITS = { startMs: 10_000, firstMs: 10_000, silenceMs: 4000 };
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=300:sample_rate=48000'];
const picture = (rate: number) => ['-f', 'lavfi', '-i', `testsrc2=size=320x240:rate=${rate}`];

let line: CaptureRig;

beforeEach(() => {
  line = openCaptureRig();
});

afterEach(() => line.close());

function ffmpegPid(): number {
  const { pid } = line.state();
  if (pid === null) {
    throw new Error('no ffmpeg runs');
  }
  return pid;
}

async function untilFlowing(runs: SeenRun[], count: number): Promise<void> {
  await until(`run ${count} flows`, () => runs.length === count && flows(runs[count - 1]));
}

describe('a run that goes wrong is followed by another, whole from its first byte', () => {
  test.each<[string, object, (pid: number) => void, string]>([
    ['ffmpeg is killed', {}, (pid) => process.kill(pid, 'SIGKILL'), 'exited'],
    ['ffmpeg stands still', { limits: SHORT_LIMITS }, (pid) => process.kill(pid, 'SIGSTOP'), 'stalled'],
  ])('%s', async (_, options, harm, cause) => {
    const { runs } = line.startAgent();
    line.startCapture({ source: PATTERN, ...options });
    await untilFlowing(runs, 1);
    const pid = ffmpegPid();
    harm(pid);
    await untilFlowing(runs, 2);
    expect(line.state()).toMatchObject({ state: 'running', run: 2, lastError: { code: cause } });
    expect(line.state().restarts).toMatchObject({ [cause]: 1 });
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test('the agent refuses what comes [TM-48]', async () => {
    const { feed, runs } = line.startAgent();
    line.startCapture({ source: PATTERN });
    await untilFlowing(runs, 1);
    feed.refuse();
    await untilFlowing(runs, 2);
    feed.refuse();
    await untilFlowing(runs, 3);
    expect(line.state().restarts).toMatchObject({ rubbish: 2 });
  });
});

test('an ffmpeg that works is left alone', async () => {
  const { runs } = line.startAgent();
  line.startCapture({ source: PATTERN, limits: SHORT_LIMITS });
  await until('six seconds of video', () => (runs[0]?.bytes.length ?? 0) > 0 && videoSeconds(runs[0]) >= 6);
  expect(runs).toHaveLength(1);
  expect(Object.values(line.state().restarts).every((count) => count === 0)).toBe(true);
});

test('without a reader nothing runs', async () => {
  line.startCapture({ source: PATTERN });
  await until(
    'capture waits',
    () => existsSync(join(line.dir, 'capture.json')) && line.state().state === 'waiting',
  );
  const { runs } = line.startAgent();
  await untilFlowing(runs, 1);
});

test('an agent that dies is waited for, and its successor gets a run of its own', async () => {
  line.startCapture({ source: PATTERN });
  const first = line.startAgent();
  await untilFlowing(first.runs, 1);
  first.feed.close();
  await until('capture waits', () => line.state().state === 'waiting');
  expect(line.state().restarts).toMatchObject({ unread: 1 });
  const second = line.startAgent();
  await untilFlowing(second.runs, 1);
});

test('a successor that comes before the old run ended gets a run of its own too', async () => {
  line.startCapture({ source: PATTERN });
  const first = line.startAgent();
  await untilFlowing(first.runs, 1);
  process.kill(ffmpegPid(), 'SIGSTOP');
  first.feed.close();
  const second = line.startAgent();
  await until('a whole run', () => flows(second.runs.at(-1)));
  expect(line.state().restarts).toMatchObject({ superseded: 1 });
});

test('capture that is started anew finds the agent waiting', async () => {
  const { runs } = line.startAgent();
  const first = line.startCapture({ source: PATTERN });
  await untilFlowing(runs, 1);
  first.stop();
  expect(await first.ended).toBe('stopped');
  expect(line.state()).toMatchObject({ state: 'stopped', pid: null });
  line.startCapture({ source: PATTERN });
  await untilFlowing(runs, 2);
});

describe('[FC-23] a FIFO that is gone is a state of the agent, and capture is started anew', () => {
  const fifos = () => [join(line.dir, 'media.fifo'), join(line.dir, 'capture.fifo')];
  const take = (replace: (path: string) => void) => {
    for (const path of fifos()) {
      rmSync(path);
      replace(path);
    }
  };
  /** As the launcher does it. */
  const renew = () => {
    for (const path of fifos()) {
      rmSync(path, { recursive: true, force: true });
      makeFifo(path);
    }
  };

  test.each<[string, (path: string) => void]>([
    ['removed', () => undefined],
    ['replaced by a file', (path) => writeFileSync(path, 'no fifo')],
    ['replaced by another FIFO', (path) => makeFifo(path)],
  ])('%s while it records [TM-45]', async (_, replace) => {
    const { runs } = line.startAgent();
    const first = line.startCapture({ source: PATTERN });
    await untilFlowing(runs, 1);
    take(replace);
    await expect(first.ended).rejects.toMatchObject({ code: 'DISK_IO' });
    await until('the end is seen', () => runs[0]?.ended === true);
    renew();
    line.startCapture({ source: PATTERN });
    await untilFlowing(runs, 2);
    expect(line.faults.at(-1) ?? 'ok').toBe('ok');
  });

  test('missing when the agent starts', async () => {
    take(() => undefined);
    const { runs } = line.startAgent();
    expect(line.faults).toEqual(['DISK_IO']);
    renew();
    line.startCapture({ source: PATTERN });
    await untilFlowing(runs, 1);
    expect(line.faults).toEqual(['DISK_IO', 'ok']);
  });
});

test('rubbish on capture.fifo changes nothing and is told once', async () => {
  const { runs } = line.startAgent();
  line.startCapture({ source: PATTERN });
  await untilFlowing(runs, 1);
  writeFileSync(join(line.dir, 'capture.fifo'), `{"end":1}\n${'x'.repeat(3000)}\n\u0000\n`);
  await until('it is told', () => line.logged.some((entry) => entry.includes('no command')));
  expect(line.logged.filter((entry) => entry.includes('no command'))).toHaveLength(1);
  expect(line.state()).toMatchObject({ state: 'running', run: 1 });
});

describe('a file', () => {
  async function play(source: string, audio = false) {
    const { runs } = line.startAgent();
    expect(await line.startCapture({ source, audio }).ended).toBe('finished');
    await until('the end is seen', () => runs[0]?.ended === true);
    expect(line.state()).toMatchObject({ state: 'finished', pid: null });
    expect(runs).toHaveLength(1);
    return probe(line.dir, runs[0]?.bytes ?? Buffer.alloc(0));
  }

  test('of H.264 and AAC is copied through, sound dropped', async () => {
    const path = makeClip(line.dir, 'a.mp4', [
      ...picture(25),
      ...SOUND,
      '-t',
      '2',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
    ]);
    expect(await play(`file:${path}`)).toEqual([
      { codec: 'h264', packets: 50, seconds: expect.closeTo(2, 1) },
    ]);
    expect(line.state()).toMatchObject({ mode: 'copy', encoder: null });
  });

  test('keeps its sound when asked', async () => {
    const path = makeClip(line.dir, 'a.mkv', [
      ...picture(25),
      ...SOUND,
      '-t',
      '2',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'flac',
    ]);
    const streams = await play(`file:${path}`, true);
    expect(streams.map((stream) => stream.codec)).toEqual(['h264', 'aac']);
    expect(streams[0]?.packets).toBe(50);
  });

  test('of another codec is encoded, frame by frame', async () => {
    const path = makeClip(line.dir, 'a.avi', [...picture(10), '-t', '3', '-c:v', 'mpeg4']);
    expect(await play(`file:${path}`)).toEqual([
      { codec: 'h264', packets: 30, seconds: expect.closeTo(3, 1) },
    ]);
    expect(line.state()).toMatchObject({ mode: 'encode' });
  });

  test('with keyframes too far apart is encoded, and that is said', async () => {
    const path = makeClip(line.dir, 'a.mp4', [
      ...picture(2),
      '-t',
      '25',
      '-c:v',
      'libx264',
      '-g',
      '1000',
      '-sc_threshold',
      '0',
      '-pix_fmt',
      'yuv420p',
    ]);
    const { runs } = line.startAgent();
    line.startCapture({ source: `file:${path}` });
    await until('it runs', () => runs.length === 1);
    expect(line.state()).toMatchObject({ mode: 'encode' });
    expect(line.logged.some((entry) => entry.includes('too far apart'))).toBe(true);
  });

  test('is encoded from the moment the agent asks for it', async () => {
    const path = makeClip(line.dir, 'a.mp4', [
      ...picture(25),
      '-t',
      '2',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
    ]);
    const { feed, runs } = line.startAgent();
    line.startCapture({ source: `file:${path}?loop` });
    await untilFlowing(runs, 1);
    expect(line.state()).toMatchObject({ mode: 'copy' });
    feed.refuse('gop');
    await untilFlowing(runs, 2);
    expect(line.state()).toMatchObject({ mode: 'encode', restarts: { gop: 1 } });
    process.kill(ffmpegPid(), 'SIGKILL');
    await untilFlowing(runs, 3);
    expect(line.state()).toMatchObject({ mode: 'encode' });
  });

  test('that loops goes on past its end', async () => {
    const path = makeClip(line.dir, 'a.mp4', [
      ...picture(25),
      '-t',
      '1',
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
    ]);
    const { runs } = line.startAgent();
    line.startCapture({ source: `file:${path}?loop` });
    await until('three seconds of video', () => runs.length === 1 && videoSeconds(runs[0]) >= 3);
    expect(runs).toHaveLength(1);
  });

  test.each([
    ['PROBE_FAILED', 'missing.mp4', null],
    ['PROBE_FAILED', 'empty.mp4', ''],
    ['NO_VIDEO', 'words.srt', '1\n00:00:00,000 --> 00:00:01,000\nwords\n'],
  ])('is refused with %s: %s', async (code, name, content) => {
    const path = join(line.dir, name);
    if (content !== null) {
      writeFileSync(path, content);
    }
    line.startAgent();
    await expect(line.startCapture({ source: `file:${path}` }).ended).rejects.toMatchObject({ code });
    expect(line.state()).toMatchObject({ state: 'failed', lastError: { code } });
  });

  describe('[FC-28c] whose codec no camera has', () => {
    const cinepak = () => makeClip(line.dir, 'a.avi', [...picture(10), '-t', '1', '-c:v', 'cinepak']);

    test('is refused: no decoder is opened for it [TM-46]', async () => {
      line.startAgent();
      const source = `file:${cinepak()}`;
      await expect(line.startCapture({ source }).ended).rejects.toMatchObject({
        code: 'CODEC_REFUSED',
        message: expect.stringContaining('cinepak'),
      });
      expect(line.state()).toMatchObject({ state: 'failed', lastError: { code: 'CODEC_REFUSED' } });
    });

    test('control: ffprobe by itself opens it [TM-46]', () => {
      const args = ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', cinepak()];
      expect(execFileSync('ffprobe', args, { encoding: 'utf8' }).trim()).toBe('cinepak');
    });
  });

  test.each([
    ['HEVC', 'mkv', ['-c:v', 'libx265', '-x265-params', 'log-level=none'], [], 'encode'],
    ['MJPEG and PCM', 'avi', ['-c:v', 'mjpeg'], ['-c:a', 'pcm_s16le'], 'encode'],
    [
      'raw video and MP3',
      'mkv',
      ['-c:v', 'rawvideo', '-pix_fmt', 'yuv420p'],
      ['-c:a', 'libmp3lame'],
      'encode',
    ],
    ['MPEG-4 and AC-3', 'mkv', ['-c:v', 'mpeg4'], ['-c:a', 'ac3'], 'encode'],
    ['H.264 and Opus', 'mkv', ['-c:v', 'libx264', '-pix_fmt', 'yuv420p'], ['-c:a', 'libopus'], 'copy'],
  ])('[FC-28c] of %s is played', async (_, form, video, sound, mode) => {
    const audio = sound.length > 0;
    const path = makeClip(line.dir, `a.${form}`, [
      ...[...picture(10), ...(audio ? SOUND : []), '-t', '1'],
      ...[...video, ...sound],
    ]);
    const streams = await play(`file:${path}`, audio);
    expect(streams.map(({ codec }) => codec)).toEqual(audio ? ['h264', 'aac'] : ['h264']);
    expect(streams[0]?.packets).toBe(10);
    expect(line.state()).toMatchObject({ mode });
  });

  test('that is a playlist does not lead to other hosts [TM-47]', async () => {
    const path = join(line.dir, 'list.m3u8');
    writeFileSync(
      path,
      '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n',
    );
    line.startAgent();
    await expect(line.startCapture({ source: `file:${path}` }).ended).rejects.toMatchObject({
      code: 'PROBE_FAILED',
    });
  });
});

test('a source that is refused is told in capture.json', async () => {
  const ended = line.startCapture({ source: 'rtsp://eve:hunter2@cam.lan/x' }).ended;
  await expect(ended).rejects.toMatchObject({ code: 'SOURCE_UNLISTED' });
  expect(line.state()).toMatchObject({ state: 'failed', lastError: { code: 'SOURCE_UNLISTED' } });
  await expect(line.startCapture({ source: 'v4l2:/dev/video0', audio: true }).ended).rejects.toMatchObject({
    code: 'SOURCE_SILENT',
  });
  expect(readFileSync(join(line.dir, 'capture.json'), 'utf8')).not.toContain('hunter2');
});

test('a camera that is not there is tried again', async () => {
  line.startAgent();
  line.startCapture({ source: 'v4l2:/dev/video987' });
  await until(
    'two attempts',
    () => existsSync(join(line.dir, 'capture.json')) && line.state().restarts.unprobed >= 2,
  );
  expect(line.state().lastError).toMatchObject({ code: 'unprobed', cause: 'device-missing' });
});

test('nothing stays behind', async () => {
  const { runs } = line.startAgent();
  const capture = line.startCapture({ source: PATTERN });
  await untilFlowing(runs, 1);
  const pid = ffmpegPid();
  capture.stop();
  await capture.ended;
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(readdirSync(line.dir).sort()).toEqual(['capture.fifo', 'capture.json', 'media.fifo']);
});

function videoSeconds(run: SeenRun | undefined): number {
  return flows(run) ? (probe(line.dir, run.bytes)[0]?.seconds ?? 0) : 0;
}
