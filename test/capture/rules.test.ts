import { chooseAudio, chooseCodec, encoderAfter } from '../../agent/capture/codecs.ts';
import { judgeReady, type Ready } from '../../agent/capture/protocol.ts';
import { type RunEnd, restartAfter } from '../../agent/capture/restart-rules.ts';
import { withoutFault } from '../../agent/capture/run.ts';
import {
  goodOutputMs,
  isStalled,
  STALL_LIMITS,
  sampleOutput,
  sourceOpened,
  stallLimits,
  watchOutput,
} from '../../agent/capture/stall-rules.ts';
import { NOTHING_MEASURED, type SourceFacts } from '../../agent/capture/streams.ts';

describe('restart', () => {
  test.each<[RunEnd, number, number, number, object | null]>([
    ['finished', 60_000, 0, 1, null],
    ['stopped', 0, 5, 1, null],
    ['exited', 0, 0, 1, { cause: 'exited', delayMs: 250, failures: 1 }],
    ['exited', 29_999, 1, 1, { cause: 'exited', delayMs: 500, failures: 2 }],
    ['exited', 30_000, 7, 1, { cause: 'exited', delayMs: 250, failures: 1 }],
    ['stalled', 0, 4, 1, { cause: 'stalled', delayMs: 4000, failures: 5 }],
    ['rubbish', 0, 5, 1, { cause: 'rubbish', delayMs: 8000, failures: 6 }],
    ['unread', 0, 6, 1, { cause: 'unread', delayMs: 10_000, failures: 7 }],
    ['exited', 0, 6, 1, { cause: 'exited', delayMs: 10_000, failures: 7 }],
    ['exited', 1, 6, 1, { cause: 'exited', delayMs: 1000, failures: 7 }],
    ['stalled', 1, 6, 1, { cause: 'stalled', delayMs: 1000, failures: 7 }],
    ['rubbish', 1, 6, 1, { cause: 'rubbish', delayMs: 10_000, failures: 7 }],
    ['exited', 5000, 3, 1, { cause: 'exited', delayMs: 2000, failures: 4 }],
    ['exited', 5000, 4, 0.5, { cause: 'exited', delayMs: 1875, failures: 5 }],
    ['exited', 29_000, 6, 1, { cause: 'exited', delayMs: 10_000, failures: 7 }],
    ['redirected', 0, 1, 1, { cause: 'redirected', delayMs: 500, failures: 2 }],
    ['unprobed', 0, 5000, 1, { cause: 'unprobed', delayMs: 10_000, failures: 5001 }],
    ['exited', 0, 0, 0.5, { cause: 'exited', delayMs: 187.5, failures: 1 }],
    ['exited', 0, 0, 0, { cause: 'exited', delayMs: 125, failures: 1 }],
    ['time', 0, 1, 1, { cause: 'time', delayMs: 500, failures: 2 }],
    ['replanned', 60_000, 3, 0, { cause: 'replanned', delayMs: 0, failures: 0 }],
    ['gop', 0, 3, 1, { cause: 'gop', delayMs: 0, failures: 3 }],
    ['gop', 30_000, 3, 1, { cause: 'gop', delayMs: 0, failures: 0 }],
    ['superseded', 0, 3, 0, { cause: 'superseded', delayMs: 0, failures: 3 }],
  ])('%s after %d ms, %d failures before, with %d drawn', (end, goodMs, failures, random, restart) => {
    expect(restartAfter(end, goodMs, failures, random)).toEqual(restart);
  });
});

describe('stall', () => {
  type Samples = [at: number, bytes: number][];
  test.each<[string, Samples, number, boolean]>([
    ['not open yet, within the start-up time', [[9000, 0]], 14_999, false],
    ['not open yet, the start-up time over', [[9000, 0]], 15_000, true],
    ['a first byte late but in time', [[14_900, 1]], 15_000, false],
    ['silence short of the limit', [[1000, 10]], 4999, false],
    ['silence up to the limit', [[1000, 10]], 5000, true],
    [
      'growth just before',
      [
        [1000, 10],
        [4900, 11],
      ],
      5000,
      false,
    ],
    [
      'a counter that stands still',
      [
        [1000, 10],
        [2000, 10],
        [4000, 10],
      ],
      5000,
      true,
    ],
    [
      'a counter that only wavers',
      [
        [1000, 10],
        [2000, 8],
        [3000, 10],
      ],
      5000,
      true,
    ],
    [
      'growth seen after our own sleep',
      [
        [1000, 10],
        [60_000, 500],
      ],
      60_000,
      false,
    ],
  ])('%s', (_, samples, at, stalled) => {
    const watch = samples.reduce((seen, [time, bytes]) => sampleOutput(seen, time, bytes), watchOutput(0));
    expect(isStalled(watch, at, STALL_LIMITS)).toBe(stalled);
  });

  test.each([
    ['open, and a byte may still come', 2000, 5999, false],
    ['open, and no byte for too long', 2000, 6000, true],
  ])('%s', (_, openedAt, at, stalled) => {
    expect(isStalled(sourceOpened(watchOutput(0), openedAt), at, STALL_LIMITS)).toBe(stalled);
  });

  test.each([
    ['rtsp', false, 25, 0, false, { startMs: 65_000, firstMs: 4000, silenceMs: 4000 }],
    ['rtsp', false, 0.2, 0, false, { firstMs: 15_000, silenceMs: 15_000 }],
    ['rtsp', true, 25, 0, false, { firstMs: 130_000, silenceMs: 4000 }],
    ['v4l2', true, null, 0, false, { startMs: 15_000, firstMs: 4000, silenceMs: 4000 }],
    ['test', true, null, 0, false, { firstMs: 4000, silenceMs: 4000 }],
    ['file', false, 25, 0.04, false, { firstMs: 4040, silenceMs: 4040 }],
    ['file', false, 25, 8, false, { firstMs: 12_000, silenceMs: 12_000 }],
    ['file', false, 25, 8, true, { silenceMs: 60_000 }],
    ['file', false, 25, 90, true, { silenceMs: 94_000 }],
  ] as const)(
    'limits of %s, encoded %j, %s frames a second, paused for %s s, once %j',
    (kind, encodes, rate, pauseSeconds, once, limits) => {
      const opensWithKeyframe = kind === 'rtsp';
      expect(stallLimits({ opensWithKeyframe, encodes, rate, pauseSeconds, once })).toMatchObject(limits);
    },
  );

  test('sampled each second, silence is noticed within 5 s of the last byte', () => {
    for (let phase = 0; phase < 1000; phase += 50) {
      let watch = watchOutput(0);
      let noticed = Number.NaN;
      for (let at = phase; Number.isNaN(noticed); at += 1000) {
        watch = sampleOutput(watch, at, Math.min(at, 20_000));
        noticed = isStalled(watch, at, STALL_LIMITS) ? at : noticed;
      }
      expect(noticed - 20_000).toBeLessThanOrEqual(5000);
    }
  });

  test('good output is counted from the first byte to the last', () => {
    let watch = watchOutput(0);
    expect(goodOutputMs(watch)).toBe(0);
    for (const [at, bytes] of [
      [500, 0],
      [2000, 7],
      [9000, 8],
      [12_000, 8],
    ] as Samples) {
      watch = sampleOutput(watch, at, bytes);
    }
    expect(goodOutputMs(watch)).toBe(7000);
  });
});

describe('ready tokens', () => {
  const token: Ready = { ready: 4, agent: 'aaaaaaaa' };
  test.each([
    ['nothing ran yet', null, 'start'],
    ['the run before is over', { agent: 'aaaaaaaa', run: 3, alive: false }, 'start'],
    ['the run before is not seen to exit yet', { agent: 'aaaaaaaa', run: 3, alive: true }, 'await-exit'],
    ['the run is on', { agent: 'aaaaaaaa', run: 4, alive: true }, 'repeat'],
    ['the run was and is over', { agent: 'aaaaaaaa', run: 4, alive: false }, 'repeat'],
    ['a late repeat', { agent: 'aaaaaaaa', run: 5, alive: true }, 'repeat'],
    ['a new agent, nothing runs', { agent: 'bbbbbbbb', run: 9, alive: false }, 'start'],
    ['a new agent, the old run goes on', { agent: 'bbbbbbbb', run: 3, alive: true }, 'supersede'],
  ] as const)('%s', (_, started, verdict) => {
    expect(judgeReady(started, token)).toBe(verdict);
  });
});

test.each([
  [null, 0, true, 'the source ended its stream'],
  [null, 1, false, undefined],
  [null, null, false, undefined],
  ['stalled', null, false, 'nothing came from it for too long'],
  ['stalled', null, true, undefined],
  ['time', null, false, undefined],
] as const)('a run that ended with %s, exit code %s, errors %j: %s', (why, code, hasErrors, line) => {
  expect(withoutFault(why, code, hasErrors)?.line).toBe(line);
});

describe('codec', () => {
  const facts = (change: Partial<SourceFacts>): SourceFacts => ({
    ...NOTHING_MEASURED,
    ...{ h264: true, audio: 'none' },
    ...change,
  });
  test.each<[Partial<SourceFacts>, boolean, object]>([
    [{}, false, { mode: 'copy', reason: 'copyable' }],
    [{ gopSeconds: 20 }, false, { mode: 'copy', reason: 'copyable' }],
    [{ gopSeconds: 20.1 }, false, { mode: 'encode', reason: 'long-gop' }],
    [{ gopSeconds: 2 }, true, { mode: 'encode', reason: 'given-up' }],
    [{ stamps: 'none' }, false, { mode: 'copy', reason: 'copyable' }],
    [{ stamps: 'decoding', bFrames: true }, false, { mode: 'encode', reason: 'no-stamps' }],
    [{ bFrames: true }, false, { mode: 'copy', reason: 'copyable' }],
    [{ h264: false }, false, { mode: 'encode', reason: 'not-h264' }],
    [{ h264: false }, true, { mode: 'encode', reason: 'not-h264' }],
  ])('%j, copying given up %j', (change, givenUp, choice) => {
    expect(chooseCodec(facts(change), givenUp)).toEqual(choice);
  });

  test.each([
    ['none', false, 'none'],
    ['none', true, 'none'],
    ['aac', false, 'none'],
    ['aac', true, 'copy'],
    ['other', false, 'none'],
    ['other', true, 'aac'],
  ] as const)('sound %s, wanted %j', (audio, wanted, choice) => {
    expect(chooseAudio(facts({ audio }), wanted)).toBe(choice);
  });

  test.each([
    ['h264_v4l2m2m', true, 999, 'libx264'],
    ['h264_v4l2m2m', true, 1000, 'h264_v4l2m2m'],
    ['h264_v4l2m2m', false, 0, 'h264_v4l2m2m'],
    ['libx264', true, 0, 'libx264'],
  ] as const)('encoder %s, failed %j, good for %d ms', (encoder, failed, goodMs, next) => {
    expect(encoderAfter(encoder, failed, goodMs)).toBe(next);
  });
});
