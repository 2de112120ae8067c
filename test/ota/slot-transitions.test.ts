import semver from 'semver';
import { judgeStaging } from '../../ota/slot-rules.ts';
import {
  firstState,
  MAX_BOOTS,
  MAX_TRIES,
  otherSlot,
  parseSlotState,
  type ReleaseName,
  returnedAbove,
  type SlotState,
  writeSlotState,
} from '../../ota/slot-state.ts';
import {
  advance,
  forgetDelivered,
  isLegal,
  phaseOf,
  releaseIn,
  type SlotEvent,
  slotToRun,
} from '../../ota/slot-transitions.ts';

/** All that the slots can come to, from a flashed camera on, with two releases that follow it. */

const release = (counter: number): ReleaseName => ({ version: `1.0.${counter}`, counter });
const FIRST = release(1);
const LATER = [2, 3].map(release);
const MAX_TURNS = 1;

const EVENTS: readonly SlotEvent[] = [
  { kind: 'staging' },
  ...LATER.map((each): SlotEvent => ({ kind: 'staged', release: each, filmed: true, keys: each.counter })),
  { kind: 'started' },
  { kind: 'stopped' },
  { kind: 'set-aside' },
  { kind: 'failed', code: 'AGENT_EXITED' },
  { kind: 'healthy', minimum: '1.0.2' },
  { kind: 'healthy', minimum: '9.0.0' },
  { kind: 'unhealthy', code: 'CAPTURE_FAILED' },
  { kind: 'turn' },
  { kind: 'reached' },
  { kind: 'turn-over' },
  { kind: 'altered', slot: 'a', code: 'FILE_ALTERED' },
  { kind: 'altered', slot: 'b', code: 'FILE_ALTERED' },
  { kind: 'rollback' },
];

interface Step {
  readonly before: SlotState;
  readonly event: SlotEvent;
  readonly after: SlotState;
  readonly confirmed: ReadonlySet<number>;
}

/** What of a state decides about others: not what is reported of it. */
const keyOf = (state: SlotState, confirmed: ReadonlySet<number>) =>
  JSON.stringify([{ ...state, outcomes: [], nextOutcome: 1 }, [...confirmed].sort()]);

/** The launcher stages only what its policy lets it. */
function mayCome(state: SlotState, event: SlotEvent): boolean {
  if (!isLegal(state, event.kind)) return false;
  if (event.kind === 'staged') return judgeStaging(state, event.release) === 'stage';
  return event.kind !== 'turn' || (state.trial?.turns ?? 0) < MAX_TURNS;
}

function explore(): Step[] {
  const first = firstState('a', FIRST, 1);
  const seen = new Set([keyOf(first, new Set([1]))]);
  const queue = [{ state: first, confirmed: new Set([1]) }];
  const steps: Step[] = [];
  for (const { state, confirmed } of queue) {
    for (const event of EVENTS.filter((each) => mayCome(state, each))) {
      const after = advance(state, event);
      const next = event.kind === 'healthy' ? new Set([...confirmed, after.release.counter]) : confirmed;
      steps.push({ before: state, event, after, confirmed: next });
      const key = keyOf(after, next);
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push({ state: { ...after, outcomes: [], nextOutcome: 1 }, confirmed: next });
    }
  }
  return steps;
}

let steps: Step[];
beforeAll(() => {
  steps = explore();
});

/** That something holds after every step; shows the first that breaks it. */
const always = (holds: (step: Step) => boolean) => expect(steps.find((step) => !holds(step))).toBeUndefined();

test('every state and event was tried', () => {
  expect(steps.length).toBeGreaterThan(5_000);
  expect(new Set(steps.map(({ event }) => event.kind))).toEqual(new Set(EVENTS.map(({ kind }) => kind)));
  expect(new Set(steps.map(({ before }) => phaseOf(before)))).toEqual(new Set(['steady', 'trial', 'turn']));
});

test('the active slot holds a release that was confirmed on this camera, and so does the spare', () => {
  always(
    ({ after, confirmed }) =>
      confirmed.has(after.release.counter) && (after.spare === null || confirmed.has(after.spare.counter)),
  );
});

test('what runs is the active release, or the one on trial', () => {
  always(({ after }) => {
    const runs = releaseIn(after, slotToRun(after));
    return runs !== null && [after.release, after.trial?.release].includes(runs);
  });
});

test('the active slot changes only by a confirmation, by a rollback, and when it was altered', () => {
  always(
    ({ before, event, after }) =>
      before.active === after.active ||
      event.kind === 'healthy' ||
      (event.kind === 'rollback' && before.trial === null) ||
      (event.kind === 'altered' && event.slot === before.active),
  );
});

test('the minimum never goes down, and never above what runs by confirmation', () => {
  always(
    ({ before, event, after }) =>
      semver.gte(after.minimum, before.minimum) &&
      (after.minimum === before.minimum ||
        (event.kind === 'healthy' && semver.lte(after.minimum, after.release.version))),
  );
});

test('the number of the key list never goes down', () => {
  always(({ before, after }) => after.keys >= before.keys);
});

test('a release that went back is not tried again', () => {
  always(({ event, before }) => {
    if (event.kind !== 'staged') return true;
    return before.refused.every(({ counter }) => counter !== event.release.counter);
  });
});

test.each<[string, SlotState['refused'], number, { name: string; code: string } | undefined]>([
  ['none went back', [], 5, undefined],
  [
    'one above went back',
    [{ counter: 6, version: '1.3.0', code: 'AGENT_EXITED' }],
    5,
    { name: '1.3.0', code: 'AGENT_EXITED' },
  ],
  ['a newer one runs since', [{ counter: 6, version: '1.3.0', code: 'AGENT_EXITED' }], 7, undefined],
  [
    'the last of several',
    [
      { counter: 6, version: '1.3.0', code: 'AGENT_EXITED' },
      { counter: 8, version: '1.5.0', code: 'SEAL_FAILED' },
    ],
    5,
    { name: '1.5.0', code: 'SEAL_FAILED' },
  ],
  [
    'written by a launcher that kept no versions',
    [{ counter: 6, code: 'OPEN_FAILED' }],
    5,
    { name: 'number 6', code: 'OPEN_FAILED' },
  ],
])('[FC-57] what is shown: %s', (_, refused, running, shown) => {
  expect(returnedAbove({ refused }, running)).toEqual(shown);
});

test('what ends a trial without confirming it is refused from then on, and told', () => {
  always(({ before, event, after }) => {
    if (before.trial === null || after.trial !== null) return true;
    if (event.kind === 'healthy' || event.kind === 'set-aside') return true;
    const { counter } = before.trial.release;
    const told = after.outcomes.at(-1);
    return (
      after.refused.some((each) => each.counter === counter) &&
      told?.event === 'returned' &&
      told.release?.counter === counter
    );
  });
});

test('a trial ends, however its release fails', () => {
  const trials = steps.map(({ after }) => after).filter((state) => phaseOf(state) === 'trial');
  const ends = (state: SlotState, events: readonly SlotEvent[], limit: number) => {
    let now = state;
    for (let count = 0; count < limit && phaseOf(now) === 'trial'; count += 1) {
      now = events.reduce((each, event) => (phaseOf(each) === 'trial' ? advance(each, event) : each), now);
    }
    return phaseOf(now) === 'steady' && slotToRun(now) === state.active;
  };
  const crash: SlotEvent[] = [{ kind: 'started' }, { kind: 'failed', code: 'AGENT_EXITED' }];
  expect(trials.every((state) => ends(state, crash, MAX_TRIES))).toBe(true);
  expect(trials.every((state) => ends(state, [{ kind: 'started' }], MAX_BOOTS + 1))).toBe(true);
});

test('starts that ended for no fault of the release do not count', () => {
  let state = advance(firstState('a', FIRST, 1), {
    kind: 'staged',
    release: release(2),
    filmed: true,
    keys: 1,
  });
  for (let count = 0; count < 5 * MAX_BOOTS; count += 1) {
    state = advance(advance(state, { kind: 'started' }), { kind: 'stopped' });
  }
  expect(state.trial).toMatchObject({ tries: 0, boots: 0 });
});

test('an altered slot: the spare takes over; the trial goes on; with nothing left, nothing is given up', () => {
  const flashed = firstState('a', FIRST, 1);
  const altered = { kind: 'altered', slot: 'a', code: 'FILE_ALTERED' } as const;
  expect(advance(flashed, altered)).toEqual(flashed);
  const trial = advance(flashed, { kind: 'staged', release: release(2), filmed: true, keys: 1 });
  expect(slotToRun(advance(advance(trial, { kind: 'turn' }), altered))).toBe('b');
  const confirmed = advance(trial, { kind: 'healthy', minimum: '1.0.2' });
  const lost = advance(confirmed, { kind: 'altered', slot: 'b', code: 'FILE_ALTERED' });
  expect(lost).toMatchObject({ active: 'a', release: FIRST, spare: null });
  expect(lost.outcomes.at(-1)).toMatchObject({ event: 'altered', slot: 'b', code: 'FILE_ALTERED' });
});

test('below the minimum there is no way back by request', () => {
  const trial = advance(firstState('a', FIRST, 1), {
    kind: 'staged',
    release: release(2),
    filmed: true,
    keys: 1,
  });
  const allowed = advance(trial, { kind: 'healthy', minimum: '1.0.1' });
  expect(advance(allowed, { kind: 'rollback' })).toMatchObject({ release: FIRST, spare: release(2) });
  const barred = advance(trial, { kind: 'healthy', minimum: '1.0.2' });
  expect(isLegal(barred, 'rollback')).toBe(false);
  expect(() => advance(barred, { kind: 'rollback' })).toThrow(
    expect.objectContaining({ code: 'SLOTS_TRANSITION' }),
  );
});

test('outcomes are numbered, bounded, and forgotten once delivered', () => {
  let state = firstState('a', FIRST, 1);
  for (let counter = 2; counter < 50; counter += 1) {
    state = advance(state, { kind: 'staged', release: release(counter), filmed: false, keys: 1 });
    state = advance(state, { kind: 'unhealthy', code: 'OPEN_FAILED' });
  }
  expect(state.outcomes.map(({ number }) => number)).toEqual(Array.from({ length: 32 }, (_, at) => at + 17));
  expect(forgetDelivered(state, 47).outcomes.map(({ number }) => number)).toEqual([48]);
  expect(forgetDelivered(state, 3)).toBe(state);
});

test('every state is written as it is read', () => {
  for (const { after } of steps.filter((_, at) => at % 50 === 0)) {
    expect(parseSlotState(writeSlotState(after))).toEqual(after);
  }
});

test('what cannot be is not read', () => {
  const text = (change: object) => Buffer.from(JSON.stringify({ ...firstState('a', FIRST, 1), ...change }));
  const trial = advance(firstState('a', FIRST, 1), {
    kind: 'staged',
    release: release(2),
    filmed: true,
    keys: 1,
  }).trial;
  for (const wrong of [
    { active: 'c' },
    { extra: 1 },
    { trial, spare: FIRST },
    { minimum: 'v1.0' },
    { trial: { ...trial, tries: MAX_TRIES } },
    { nextOutcome: 0 },
  ]) {
    expect(() => parseSlotState(text(wrong))).toThrow(expect.objectContaining({ code: 'SLOTS_MALFORMED' }));
  }
  expect(otherSlot(otherSlot('a'))).toBe('a');
});
