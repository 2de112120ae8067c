import { BASE } from './clips.ts';
import { ffmpeg, fileOf } from './corpus.ts';
import type { Filmed } from './film-source.ts';
import { judgeRecording } from './judge.ts';
import { judgeNetwork } from './network-judge.ts';
import { aac, beep, inStep, pattern, plain, seconds, x264 } from './pattern.ts';
import type { Right } from './recording.ts';

/** Controls: what compares a film with what is right finds each kind of fault in it. */

const START_MS = 1_790_000_000_000;
const RIGHT: Right = { ...plain(75, 25, 'copy'), ...inStep(3) };

/** A film that was made with ffmpeg, as if a camera had recorded it. */
async function made(file: string, args: readonly string[], fromMs = START_MS): Promise<Filmed> {
  const make = (directory: string) => ffmpeg(directory, [...args, file]);
  const path = await fileOf({ file, make });
  const capture = { mode: 'copy', restarts: {}, lastError: null } as unknown as Filmed['capture'];
  const movies = [{ path, fromMs, seconds: 3, frames: 75, fragments: 15 }];
  const report = { verdict: 'complete', openedSeconds: 3, gapSeconds: 0 } as unknown as Filmed['report'];
  const status = { gapSeconds: 0 } as unknown as Filmed['status'];
  return { end: 'finished', capture, status, report, movies, log: [] };
}

const judge = async (filmed: Filmed) =>
  (await judgeRecording({ name: '', file: '', make: [], right: RIGHT }, filmed)).wrong;
const late = (by: number) => beep('-itsoffset', String(by));

describe('a recording', () => {
  test('as it has to be', async () => {
    const args = [...pattern(25), ...beep(), ...seconds(3), ...x264(50), ...aac];
    expect(await judge(await made('right.mp4', args))).toEqual([]);
  });

  test.each<[string, string, readonly string[], RegExp]>([
    [
      'sound 60 ms late',
      'late.mp4',
      [...pattern(25), ...late(0.06), ...seconds(3), ...x264(50), ...aac],
      /sound is [56]\d ms after/,
    ],
    ['no sound', 'silent.mp4', [...pattern(25), ...seconds(3), ...x264(50)], /no sound/],
    [
      'half of it',
      'half.mp4',
      [...pattern(25), ...beep(), ...seconds(1.5), ...x264(50), ...aac],
      /3[78] frames, not 75/,
    ],
    [
      'a pause that was none',
      'pause.mp4',
      [
        ...[...seconds(3), ...pattern(25), ...beep(...seconds(3)), '-vf', "setpts='PTS+if(gt(N,50),0.5/TB)'"],
        ...['-fps_mode', 'vfr', ...x264(50), ...aac],
      ],
      /a frame is 0\.[45]\d+ s off/,
    ],
    [
      'another size',
      'size.mp4',
      [...pattern(25, '192x108'), ...beep(), ...seconds(3), ...x264(50), ...aac],
      /192x108, not 160x90/,
    ],
  ])('with %s is found out', async (_, file, args, said) => {
    const wrong = await judge(await made(file, args));
    expect(wrong.some((each) => said.test(each)) || wrong).toBe(true);
  });

  test.each<[string, Partial<Filmed>, RegExp]>([
    ['that did not end', { end: 'limit' }, /ends limit/],
    ['that was refused', { end: { code: 'NO_VIDEO', message: 'no video' } }, /NO_VIDEO/],
    [
      'that is not complete',
      { report: { verdict: 'incomplete' } as unknown as NonNullable<Filmed['report']> },
      /incomplete/,
    ],
    [
      'that was encoded',
      { capture: { mode: 'encode', restarts: { exited: 1 }, lastError: null } as never },
      /mode encode/,
    ],
  ])('%s is found out', async (_, change, said) => {
    const args = [...pattern(25), ...beep(), ...seconds(3), ...x264(50), ...aac];
    const wrong = await judge({ ...(await made('right.mp4', args)), ...change });
    expect(wrong.some((each) => said.test(each)) || wrong).toBe(true);
  });
});

describe('footage of a network camera', () => {
  const sender = { startMs: START_MS, fps: 25, frames: BASE.frames };
  const source = { name: '', clip: BASE, seconds: 3, right: { covers: 3 } };
  const clip = async (...more: readonly string[]) => ['-i', await fileOf(BASE), ...seconds(3), ...more];

  test('as it has to be', async () => {
    const filmed = await made('sent.mp4', await clip('-c', 'copy'));
    expect((await judgeNetwork(source, filmed, sender)).wrong).toEqual([]);
  });

  test('dated 2 s late is found out', async () => {
    const filmed = await made('sent.mp4', await clip('-c', 'copy'), START_MS + 2000);
    expect((await judgeNetwork(source, filmed, sender)).wrong).toEqual([
      expect.stringMatching(/dated up to 20/),
    ]);
  });

  test('of which a second is missing, unsaid, is found out', async () => {
    const select = ['-vf', "select='lt(n,25)+gt(n,49)'", '-fps_mode', 'vfr', ...x264(50)];
    const filmed = await made('second.mp4', await clip(...select));
    const { wrong } = await judgeNetwork(source, filmed, sender);
    expect(wrong).toEqual(expect.arrayContaining([expect.stringMatching(/covers 2\.0 s, not 3/)]));
  });

  test('of which more is missing than the camera says is found out', async () => {
    const select = ['-vf', "select='lt(n,13)+gt(n,50)'", '-fps_mode', 'vfr', ...x264(50)];
    const filmed = await made('more.mp4', await clip(...select));
    const { wrong } = await judgeNetwork(source, filmed, sender);
    expect(wrong).toEqual(expect.arrayContaining([expect.stringMatching(/status says 0\.0 of 1\.5 s/)]));
  });
});
