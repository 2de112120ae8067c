import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { breakBuild } from '../broken-build.ts';
import { makeClip, packetHashes, probe } from '../e2e/clips.ts';
import { filmed, startDemo, startDemoOf, summaryOf } from '../e2e/demonstration.ts';
import { family } from '../e2e/processes.ts';
import { until } from '../e2e/until.ts';
import { fileOf } from '../sources/corpus.ts';
import { recordingOf } from '../sources/recordings.ts';

const VTEST = '/usr/share/doc/opencv-doc/examples/data/vtest.avi';

/** As a terminal does: to the whole process group. */
const interrupt = ({ pid }: ChildProcess) => process.kill(-(pid ?? 0), 'SIGINT');

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
afterAll(() => rmSync(directory, { recursive: true }));

test.concurrent('the test pattern: every captured second is acknowledged and opens', () =>
  filmed(['--seconds', '6'], ({ summary, movie }) => {
    expect(summary).toEqual({
      cameraId: expect.stringMatching(/^[a-z2-7]{32}$/),
      segments: expect.any(Number),
      records: expect.any(Number),
      bytes: expect.any(Number),
      capturedSeconds: expect.any(Number),
      acknowledgedSeconds: summary.capturedSeconds,
      openedSeconds: summary.capturedSeconds,
      lostSeconds: 0,
      verdict: 'complete',
    });
    expect(summary.capturedSeconds).toBeGreaterThanOrEqual(6);
    expect(summary.segments).toBeGreaterThanOrEqual(2);
    const { video, audio } = probe(movie);
    expect(video).toMatchObject({ codec: 'h264', frames: Math.round(summary.capturedSeconds * 25) });
    expect(video.duration).toBeCloseTo(summary.capturedSeconds, 1);
    expect(audio).toBeUndefined();
  }));

test.concurrent('ten seconds of a surveillance clip that has to be encoded', () =>
  filmed(['--seconds', '10', '--input', VTEST], ({ summary, movie }) => {
    expect(summary.lostSeconds).toBe(0);
    const { video } = probe(movie);
    expect(video.frames).toBe(Math.round(summary.capturedSeconds * 10));
    expect(video.duration).toBeCloseTo(summary.capturedSeconds, 1);
  }));

test.concurrent.each([
  ['dropped', [], undefined],
  ['kept with --audio', ['--audio'], 'aac'],
] as const)(
  'an H.264 and AAC file is copied through bit for bit, its sound %s',
  async (_, options, codec) => {
    const source = makeClip({ path: join(directory, `${codec}.mp4`), seconds: 5, audio: true });
    await filmed(['--input', source, ...options], ({ summary, movie }) => {
      expect(summary).toMatchObject({ capturedSeconds: 5, openedSeconds: 5, lostSeconds: 0 });
      expect(packetHashes(movie, 'v')).toEqual(packetHashes(source, 'v'));
      const { video, audio } = probe(movie);
      expect(video).toMatchObject({ codec: 'h264', frames: 125, duration: 5 });
      expect(audio?.codec).toBe(codec);
      if (codec !== undefined) expect(packetHashes(movie, 'a')).toEqual(packetHashes(source, 'a'));
    });
  },
);

test.concurrent('Ctrl-C while it films: all of it opens, and nothing is left running', async () => {
  const { child, end } = startDemo();
  const said: Buffer[] = [];
  child.stdout?.on('data', (chunk) => said.push(chunk));
  await until('it films', () => /captured [1-9]/.test(Buffer.concat(said).toString()));
  interrupt(child);
  const { code, stdout, left } = await end;
  expect({ code, left }).toEqual({ code: 0, left: [] });
  expect(stdout).toMatch(/demo: all [\d.]+ s captured were acknowledged, and open with the viewing key/);
  const kept = / in (\/\S+)/.exec(stdout)?.[1] ?? '';
  expect(stdout).toContain(`footage open ${kept}/server`);
  rmSync(kept, { recursive: true });
});

test.concurrent.each([
  ['the server is being set up', /oriel server|main\.ts server/],
  ['the camera is being started', /main\.ts camera run/],
])('Ctrl-C while %s: nothing is left, and it is said in a line', async (_, process) => {
  const { child, end } = startDemo();
  await until('it is at that', () => family(child.pid ?? 0).some(({ command }) => process.test(command)));
  interrupt(child);
  const { code, stdout, stderr, left } = await end;
  expect({ code, stderr, left }).toEqual({ code: 1, stderr: '', left: [] });
  expect(stdout).toMatch(/demo: ended before anything was filmed\n$/);
  expect(existsSync(/ in (\/\S+)/.exec(stdout)?.[1] ?? '/')).toBe(false);
});

describe('[FC-67] a file with pauses', () => {
  const paused = () => fileOf(recordingOf('gap.mp4'));

  test.concurrent('is filmed once, whole, and its length is said', async () => {
    await filmed(['--input', await paused()], ({ summary, movie }) => {
      expect(summary).toMatchObject({ inputSeconds: 30, openedSeconds: 30, lostSeconds: 0 });
      expect(probe(movie).video).toMatchObject({ frames: 350, duration: 30 });
    });
  });

  test.concurrent('is no whole recording where a build plays half of it', async () => {
    const broken = breakBuild({
      file: 'agent/capture/sources/file.ts',
      from: "return this.loop ? ['-re', '-stream_loop', '-1'] : ['-re'];",
      to: "return ['-re', '-t', '15'];",
    });
    try {
      const end = await startDemoOf(broken.root, '--headless', '--input', await paused()).end;
      expect({ code: end.code, left: end.left }).toEqual({ code: 1, left: [] });
      expect(end.stderr).toMatch(/the file lasts 30\.0 s, and [\d.]+ s of it open/);
      expect(summaryOf(end)).toMatchObject({ inputSeconds: 30, lostSeconds: 0 });
    } finally {
      broken.remove();
    }
  });

  test.concurrent('is not asked for whole where --seconds says how much of it', async () => {
    await filmed(['--seconds', '3', '--input', await paused()], ({ summary }) => {
      expect(summary.inputSeconds).toBeUndefined();
      expect(summary.openedSeconds).toBeLessThan(29);
    });
  });
});

test.concurrent('why a file cannot be filmed is said', async () => {
  const words = join(directory, 'words.mp4');
  writeFileSync(words, 'This is no video.\n'.repeat(100));
  const { code, stderr } = await startDemo('--headless', '--input', words).end;
  expect(code).toBe(1);
  expect(stderr).toContain('capture: PROBE_FAILED: the file is no video that ffmpeg knows');
});

test('a directory that holds something is not written to', async () => {
  const kept = join(directory, 'mine');
  mkdirSync(kept);
  writeFileSync(join(kept, 'letter'), '');
  const { code, stdout, stderr } = await startDemo('--headless', '--seconds', '1', '--keep', kept).end;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(`${kept} is not empty`);
  expect(readdirSync(kept)).toEqual(['letter']);
});

test.each([
  ['an input that is not there', ['--input', '/nonexistent.mp4'], 'there is no such file'],
  ['a number of seconds that is none', ['--seconds', 'all'], 'give a number of seconds'],
  ['an option that it does not have', ['--fast'], 'unknown option'],
])('%s: said in a line, and nothing is begun', async (_, options, said) => {
  const { code, stdout, stderr } = await startDemo('--headless', ...options).end;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(said);
  expect(stderr).not.toContain('demo: making');
});

test('a broken build that loses a second is found out', async () => {
  const broken = breakBuild({
    file: 'agent/recording/recorder.ts',
    from: 'this.#keep(segment.sealer.sealFragment(fragment.bytes, fragment.durationUs));',
    to: 'if (this.#options.counters.fragments !== 9) this.#keep(segment.sealer.sealFragment(fragment.bytes, fragment.durationUs));',
  });
  try {
    const end = await startDemoOf(broken.root, '--headless', '--seconds', '4').end;
    expect({ code: end.code, left: end.left }).toEqual({ code: 1, left: [] });
    expect(end.stderr).toContain('NOT all is well');
    expect(summaryOf(end).lostSeconds).toBeCloseTo(0.2, 2);
  } finally {
    broken.remove();
  }
});
