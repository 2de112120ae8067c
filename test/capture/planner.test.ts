import type { FfmpegTool } from '../../agent/capture/ffmpeg-runner.ts';
import { Planner } from '../../agent/capture/planner.ts';
import type { RunEnd } from '../../agent/capture/restart-rules.ts';
import type { RunOutcome } from '../../agent/capture/run.ts';
import { parseSource } from '../../agent/capture/source.ts';
import { TurnedClock } from '../recording/rig.ts';

const HOUR = 3_600_000;
/** ffprobe's answer for a camera with H.264 and G.711. @param came when its sound did. */
const answer = (came: string | undefined) =>
  JSON.stringify({
    streams: [
      {
        ...{ codec_type: 'video', codec_name: 'h264', profile: 'Main', pix_fmt: 'yuv420p' },
        ...{ width: 640, height: 360, avg_frame_rate: '25/1' },
      },
      { codec_type: 'audio', codec_name: 'pcm_alaw', start_time: came },
    ],
  });

function planning({ from = 'rtsp://cam.lan/x', answers = [answer('0.04')] } = {}) {
  const clock = new TurnedClock();
  const asked: string[] = [];
  const logged: string[] = [];
  const note = (_: object, message: string) => void logged.push(message);
  const planner = new Planner({
    source: parseSource(from, ['cam.lan']),
    audio: true,
    runTool: async ({ command }: FfmpegTool) => {
      asked.push(command);
      const stdout = answers[Math.min(asked.length, answers.length) - 1] ?? '';
      return { code: 0, stdout, stderr: '' };
    },
    effects: {
      clock,
      random: () => 1,
      logger: { info: note, warn: note, error: note },
      signal: new AbortController().signal,
    },
  });
  /** One run that ends so. @returns whether the next is planned in another way. */
  const run = async (end: RunEnd, change: Partial<RunOutcome> = {}) => {
    const plan = await planner.plan({});
    const outcome = { end, goodMs: 60_000, playedMs: 60_000, opened: true, code: null, line: '', said: [] };
    return planner.learn(plan, { ...outcome, ...change });
  };
  return { planner, clock, asked, logged, run };
}

test('[FC-66] a source is asked once, however often it refuses a session', async () => {
  const { asked, run } = planning();
  for (let n = 0; n < 3; n++) await run('exited', { goodMs: 0, opened: false });
  expect(asked).toEqual(['ffprobe']);
});

test('what sent rubbish is asked again', async () => {
  const { asked, planner, run } = planning();
  await run('rubbish');
  await planner.plan({});
  expect(asked).toEqual(['ffprobe', 'ffprobe']);
});

test('[FC-66] one that was asked again after a refusal is not for ending its stream', async () => {
  const { asked, planner, run } = planning();
  await run('exited', { code: 1, goodMs: 1000 });
  for (let n = 0; n < 3; n++) await run('exited', { code: 0, goodMs: 3000 });
  await planner.plan({});
  expect(asked).toEqual(['ffprobe', 'ffprobe']);
});

test('[FC-62] stamps that are wrong are given up, said, and tried again after an hour', async () => {
  const { planner, clock, logged, run } = planning();
  expect(planner.nextTrialMs).toBeUndefined();
  expect(await run('time')).toBe(true);
  expect(await planner.plan({})).toMatchObject({ arrival: true, video: 'copy', audio: 'aac' });
  expect(planner.givenUp).toEqual([
    { what: 'stamps', because: 'time', line: expect.any(String), since: clock.now() },
  ]);
  expect(logged.at(-1)).toContain('the time of arrival');
  expect(planner.nextTrialMs).toBe(HOUR);
  clock.turn(HOUR);
  expect(await planner.plan({})).toMatchObject({ arrival: false });
  expect(planner.givenUp).toEqual([]);
});

test('[FC-64] sound without which there is a picture is left out, whatever the policy allows', async () => {
  const { planner, run } = planning();
  expect(await run('stalled', { goodMs: 0 })).toBe(true);
  expect(await planner.plan({})).toMatchObject({ audio: 'none', video: 'copy', arrival: false });
});

/** Any file does: ffprobe's answer is given. */
const FILE = `file:${import.meta.filename}`;

describe('a file goes on', () => {
  test('[FC-67] up to where the agent has it', async () => {
    const { planner, run } = planning({ from: FILE });
    await run('gop', { playedMs: 21_000 });
    expect(await planner.plan({ from: 20.2 })).toMatchObject({ from: 20.2 });
  });

  test('where it was by the clock, if the agent is another one', async () => {
    const { planner, run } = planning({ from: FILE });
    await run('superseded', { playedMs: 21_000 });
    expect(await planner.plan({})).toMatchObject({ from: 21 });
  });

  test('from its beginning, if it is played over and over', async () => {
    const { planner, run } = planning({ from: `${FILE}?loop` });
    await run('gop', { playedMs: 21_000 });
    expect(await planner.plan({ from: 20.2 })).toMatchObject({ from: 0 });
  });
});

test('[FC-64] sound that does not come while the camera is asked is left out at once, and asked for again after an hour', async () => {
  const { planner, clock, asked, logged, run } = planning({
    answers: [answer(undefined), answer(undefined), answer('0.02')],
  });
  expect(await planner.plan({})).toMatchObject({ audio: 'none', video: 'copy' });
  expect(planner.givenUp).toEqual([
    {
      what: 'sound',
      because: 'silent',
      line: 'the camera describes sound and sends none',
      since: clock.now(),
    },
  ]);
  expect(logged.at(-1)).toContain('without sound');
  await run('exited');
  expect(asked).toEqual(['ffprobe']);
  clock.turn(HOUR);
  expect(await planner.plan({})).toMatchObject({ audio: 'none' });
  expect(planner.nextTrialMs).toBe(3 * HOUR);
  clock.turn(2 * HOUR);
  expect(await planner.plan({})).toMatchObject({ audio: 'aac' });
  expect(asked).toHaveLength(3);
});

test('a camera that was asked while the policy forbade sound is asked again once it allows it', async () => {
  const { planner, asked } = planning();
  for (const allowed of [false, true, true, false, true]) await planner.plan({ audio: allowed });
  expect(asked).toHaveLength(2);
});

test('a camera that ends its stream again and again is recorded as before', async () => {
  const { planner, run } = planning();
  for (let n = 0; n < 3; n++) expect(await run('exited', { goodMs: 4000, code: 0 })).toBe(false);
  expect(await planner.plan({})).toMatchObject({ audio: 'aac', video: 'copy' });
  // Control: what ends with an error refuses the plan.
  await run('exited', { goodMs: 4000, code: 1 });
  expect(await run('exited', { goodMs: 4000, code: 1 })).toBe(true);
});
