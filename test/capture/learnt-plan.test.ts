import {
  type Concession,
  concessionAfter,
  isGivenUp,
  type Learnt,
  learn,
  nextTrialMs,
  nothingLearnt,
  type PastRun,
  tryAgain,
} from '../../agent/capture/learnt-plan.ts';

const ALL: readonly Concession[] = ['sound', 'copy', 'stamps'];
const HOUR = 3_600_000;

const run = (change: Partial<PastRun>): PastRun => ({
  end: 'exited',
  opened: true,
  goodMs: 100,
  line: 'Could not write header',
  had: ALL,
  ...change,
});

const after = (...runs: PastRun[]): Learnt =>
  runs.reduce((learnt, each) => learn(learnt, each, 0), nothingLearnt);
const refusedOnce = after(run({}));
const withoutSound: Partial<PastRun> = { had: ['copy', 'stamps'] };

test.each<[string, Learnt, PastRun, Concession | undefined]>([
  ['wrong time', nothingLearnt, run({ end: 'time' }), 'stamps'],
  ['wrong time by arrival', nothingLearnt, run({ end: 'time', had: ['copy'] }), undefined],
  ['long GOPs', nothingLearnt, run({ end: 'gop', goodMs: 60_000 }), 'copy'],
  ['long GOPs of an encoder', nothingLearnt, run({ end: 'gop', had: [] }), undefined],
  ['one refusal', nothingLearnt, run({}), undefined],
  ['the same refusal twice', refusedOnce, run({}), 'sound'],
  [
    'the same but for numbers',
    after(run({ line: '[mp4 @ 0x5f] code 12' })),
    run({ line: '[mp4 @ 0x77] code 3' }),
    'sound',
  ],
  ['another refusal', refusedOnce, run({ line: 'Conversion failed' }), undefined],
  ['another end', refusedOnce, run({ end: 'stalled' }), undefined],
  ['twice, without sound', refusedOnce, run(withoutSound), 'copy'],
  ['twice, encoded', refusedOnce, run({ had: ['stamps'] }), undefined],
  [
    'twice, refused by the agent',
    after(run({ end: 'rubbish' })),
    run({ end: 'rubbish', had: ['copy'] }),
    'copy',
  ],
  ['twice not let in', after(run({ opened: false })), run({ opened: false }), undefined],
  ['twice, after a while', after(run({ goodMs: 5000 })), run({ goodMs: 5000 }), undefined],
  ['[FC-64] no picture at all, with sound', nothingLearnt, run({ end: 'stalled', goodMs: 0 }), 'sound'],
  [
    'no picture at all, without',
    nothingLearnt,
    run({ ...withoutSound, end: 'stalled', goodMs: 0 }),
    undefined,
  ],
  ['the reader gone', refusedOnce, run({ end: 'unread' }), undefined],
  ['a new agent', refusedOnce, run({ end: 'superseded' }), undefined],
])('what is given up after %s', (_, learnt, past, concession) => {
  expect(concessionAfter(learnt, past)).toBe(concession);
});

test('a run that was good for half a minute clears the refusal before it', () => {
  const cleared = learn(refusedOnce, run({ goodMs: 30_000 }), 0);
  expect(concessionAfter(cleared, run({}))).toBeUndefined();
});

test('what was given up is tried again: after an hour, then after two, at most after a day', () => {
  let learnt = after(run({ end: 'time' }));
  let at = 0;
  for (const hours of [1, 2, 4, 8, 16, 24, 24]) {
    expect(isGivenUp(learnt, 'stamps')).toBe(true);
    expect(nextTrialMs(learnt)).toBe(at + hours * HOUR);
    expect(isGivenUp(tryAgain(learnt, at + hours * HOUR - 1), 'stamps')).toBe(true);
    at += hours * HOUR;
    learnt = tryAgain(learnt, at);
    expect(isGivenUp(learnt, 'stamps')).toBe(false);
    expect(nextTrialMs(learnt)).toBeUndefined();
    learnt = learn(learnt, run({ end: 'time' }), at);
  }
});

test('copying a stream of long GOPs costs one: it is tried again after a day', () => {
  expect(nextTrialMs(after(run({ end: 'gop' })))).toBe(24 * HOUR);
});

test('on trial one refusal is enough, and one good run is, too', () => {
  const learnt = tryAgain(after(run({ end: 'stalled', goodMs: 0 })), HOUR);
  expect(learn(learnt, run({}), HOUR).givenUp.sound).toMatchObject({ times: 2, onTrial: false });
  expect(learn(learnt, run({ goodMs: 30_000 }), HOUR)).toEqual(nothingLearnt);
});

test('one thing is tried at a time', () => {
  const both = after(run({ end: 'stalled', goodMs: 0 }), run({ end: 'time' }));
  const tried = tryAgain(both, HOUR);
  expect(ALL.filter((what) => isGivenUp(tried, what))).toEqual(['stamps']);
});
