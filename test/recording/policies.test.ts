import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DAY_MS, nextDayKey } from '../../agent/recording/day-key-policy.ts';
import {
  nextStep,
  type RecordingState,
  type RecordingStep,
  SEGMENT_LIMIT_BYTES,
  SEGMENT_TARGET_US,
  SESSION_HARD_LIMIT_MS,
  SESSION_LIMIT_SEGMENTS,
  SESSION_SOFT_LIMIT_MS,
} from '../../agent/recording/segment-policy.ts';

describe('the step for a fragment', () => {
  const young = { ageMs: 1000, segments: 3 };
  const soft = { ageMs: SESSION_SOFT_LIMIT_MS, segments: 3 };
  const hard = { ageMs: SESSION_HARD_LIMIT_MS, segments: 3 };
  const many = { ageMs: 1000, segments: SESSION_LIMIT_SEGMENTS };
  const short = { durationUs: SEGMENT_TARGET_US - 1, bytes: 1000 };
  const long = { durationUs: SEGMENT_TARGET_US, bytes: 1000 };
  const heavy = { durationUs: 1000, bytes: SEGMENT_LIMIT_BYTES - 99 };
  const brimful = { durationUs: 1000, bytes: SEGMENT_LIMIT_BYTES - 100 };
  type State = Partial<RecordingState>;

  test.each<[string, State, RecordingStep, RecordingStep]>([
    // what there is, step for a keyframe, step for another fragment (of 100 bytes)
    ['nothing', {}, 'new-session', 'skip'],
    ['nothing, outdated', { sessionOutdated: true }, 'new-session', 'skip'],
    ['a young session', { session: young }, 'new-segment', 'skip'],
    ['a young session, outdated', { session: young, sessionOutdated: true }, 'new-session', 'skip'],
    ['a session at its soft limit', { session: soft }, 'new-session', 'skip'],
    ['a session at its hard limit', { session: hard }, 'new-session', 'skip'],
    ['a session of many segments', { session: many }, 'new-session', 'skip'],
    ['a short segment', { session: young, segment: short }, 'append', 'append'],
    ['a segment of the target length', { session: young, segment: long }, 'new-segment', 'append'],
    ['a segment with just room', { session: young, segment: brimful }, 'append', 'append'],
    ['a segment without room', { session: young, segment: heavy }, 'new-segment', 'end-and-skip'],
    ['a short segment at the soft limit', { session: soft, segment: short }, 'new-session', 'append'],
    [
      'a segment without room at the soft limit',
      { session: soft, segment: heavy },
      'new-session',
      'end-and-skip',
    ],
    ['a short segment at the hard limit', { session: hard, segment: short }, 'new-session', 'end-and-skip'],
    ['a long segment at the hard limit', { session: hard, segment: long }, 'new-session', 'end-and-skip'],
    [
      'a short segment, outdated',
      { session: young, segment: short, sessionOutdated: true },
      'new-session',
      'end-and-skip',
    ],
    ['the last of many segments', { session: many, segment: short }, 'new-session', 'append'],
  ])('%s', (_, some, keyframe, other) => {
    const state = { segment: undefined, session: undefined, sessionOutdated: false, ...some };
    expect(nextStep(state, { keyframe: true, bytes: 100 })).toBe(keyframe);
    expect(nextStep(state, { keyframe: false, bytes: 100 })).toBe(other);
  });

  test('nothing is ever sealed into a session at its hard limit, outdated or not there', () => {
    const segment = fc.option(fc.record({ durationUs: fc.nat(), bytes: fc.nat() }), { nil: undefined });
    const session = fc.option(fc.record({ ageMs: fc.nat({ max: 2e6 }), segments: fc.nat() }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(segment, session, fc.boolean(), fc.boolean(), (open, current, outdated, keyframe) => {
        const state = { segment: open, session: current, sessionOutdated: outdated };
        const step = nextStep(state, { keyframe, bytes: 100 });
        const over = outdated || current === undefined || current.ageMs >= SESSION_HARD_LIMIT_MS;
        if (over) expect(['new-session', 'skip', 'end-and-skip']).toContain(step);
        if (!keyframe) expect(['append', 'skip', 'end-and-skip']).toContain(step);
        if (open === undefined) expect(step).not.toBe('append');
      }),
    );
  });
});

describe('the day key for the next session', () => {
  test.each([
    // used, minimum, newest, number, recordedMs, exhausted
    ['a first session', undefined, 0, 5, 0, 0, false],
    ['a first session under a minimum', undefined, 3, 5, 3, 0, false],
    ['a first session, no key of the minimum', undefined, 9, 5, 5, 0, true],
    ['within the day', { number: 2, recordedMs: DAY_MS - 1 }, 0, 5, 2, DAY_MS - 1, false],
    ['after the day', { number: 2, recordedMs: DAY_MS }, 0, 5, 3, 0, false],
    ['long after the day: by one', { number: 2, recordedMs: 9 * DAY_MS }, 0, 5, 3, 0, false],
    ['the policy names a higher', { number: 2, recordedMs: 7 }, 4, 5, 4, 0, false],
    ['the policy names a lower', { number: 2, recordedMs: 7 }, 1, 5, 2, 7, false],
    ['after the day, the policy names a higher', { number: 2, recordedMs: DAY_MS }, 4, 5, 4, 0, false],
    ['the newest, within its day', { number: 5, recordedMs: 7 }, 0, 5, 5, 7, false],
    ['the newest, after its day', { number: 5, recordedMs: DAY_MS }, 0, 5, 5, DAY_MS, true],
    ['the policy names one beyond the newest', { number: 5, recordedMs: 7 }, 9, 5, 5, 7, true],
    ['the keys of a viewer were taken back', { number: 5, recordedMs: 7 }, 0, 3, 3, 0, true],
  ] as const)('%s', (_, used, minimum, newest, number, recordedMs, exhausted) => {
    expect(nextDayKey(used, minimum, newest)).toEqual({ use: { number, recordedMs }, exhausted });
  });
});
