import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  nextStep,
  type RecordingState,
  type RecordingStep,
  SEGMENT_LIMIT_BYTES,
  SEGMENT_TARGET_US,
  SESSION_HARD_LIMIT_MS,
  SESSION_LIMIT_SEGMENTS,
  SESSION_SOFT_LIMIT_MS,
} from '../../agent/recording/segment-rules.ts';
import { DAY_MS, nextDayKey } from '../../agent/recording/session-factory.ts';
import type { DayKeyUse } from '../../agent/state/camera-state.ts';
import { usableNumbers } from '../../crypto/day-keys.ts';

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

describe('a viewer’s day key for the next session', () => {
  const to5 = [0, 1, 2, 3, 4, 5];
  test.each<[string, DayKeyUse | undefined, number, number[], ReturnType<typeof nextDayKey>]>([
    // used, floor, numbers at hand; number, recordedMs, exhausted
    ['a first session', undefined, 0, to5, next(0, 0)],
    ['a first session under a floor', undefined, 3, to5, next(3, 0)],
    ['[FC-21] a first session, no key at the floor', undefined, 9, to5, undefined],
    ['[FC-21] no key at all', { number: 2, recordedMs: 7 }, 0, [], undefined],
    ['within the day', { number: 2, recordedMs: DAY_MS - 1 }, 0, to5, next(2, DAY_MS - 1)],
    ['after the day', { number: 2, recordedMs: DAY_MS }, 0, to5, next(3, 0)],
    ['long after the day: by one', { number: 2, recordedMs: 9 * DAY_MS }, 0, to5, next(3, 0)],
    ['the policy names a higher floor', { number: 2, recordedMs: 7 }, 4, to5, next(4, 0)],
    ['the policy names a lower floor', { number: 2, recordedMs: 7 }, 1, to5, next(2, 7)],
    ['after the day, a higher floor', { number: 2, recordedMs: DAY_MS }, 4, to5, next(4, 0)],
    ['the newest, within its day', { number: 5, recordedMs: 7 }, 0, to5, next(5, 7)],
    ['the newest, after its day', { number: 5, recordedMs: DAY_MS }, 0, to5, next(5, DAY_MS, true)],
    ['[FC-21] the floor lies beyond the newest', { number: 5, recordedMs: 7 }, 9, to5, undefined],
    ['the newest keys were taken back', { number: 5, recordedMs: 7 }, 0, [0, 1, 2, 3], next(3, 0, true)],
    ['a gap: the next above it', { number: 2, recordedMs: DAY_MS }, 0, [0, 1, 2, 7, 8], next(7, 0)],
    ['a floor in a gap: the next above it', undefined, 4, [0, 1, 2, 7, 8], next(7, 0)],
  ])('%s', (_, used, floor, numbers, expected) => {
    const usable = usableNumbers({ floor, keys: new Map(numbers.map((each) => [each, new Uint8Array(32)])) });
    expect(nextDayKey(used, floor, usable)).toEqual(expected);
  });

  function next(number: number, recordedMs: number, exhausted = false): ReturnType<typeof nextDayKey> {
    return { use: { number, recordedMs }, exhausted };
  }

  test('[FC-21] never lies below the floor, whatever was used and is at hand', () => {
    const use = fc.option(fc.record({ number: fc.nat(20), recordedMs: fc.nat(2 * DAY_MS) }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(use, fc.nat(20), fc.uniqueArray(fc.nat(20)), (used, floor, numbers) => {
        const keys = new Map(numbers.map((number) => [number, Uint8Array.of(number)]));
        const usable = usableNumbers({ floor, keys });
        const chosen = nextDayKey(used, floor, usable)?.use.number;
        if (chosen === undefined) expect(numbers.every((number) => number < floor)).toBe(true);
        else {
          expect(chosen).toBeGreaterThanOrEqual(floor);
          expect(numbers).toContain(chosen);
          const newest = Math.max(...numbers);
          if (used !== undefined) expect(chosen).toBeGreaterThanOrEqual(Math.min(used.number, newest));
        }
      }),
    );
  });
});
