import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { emptyCounters } from '../../agent/recording/footage-accounting.ts';
import { freshSession } from '../../agent/recording/open-session.ts';
import { Recorder } from '../../agent/recording/recorder.ts';
import { nextStep, TIME_ERROR_LIMIT_MS } from '../../agent/recording/segment-rules.ts';
import type { StoredSegment, StoredSession } from '../../agent/spool/stored-segment.ts';
import { cameraIdOf, idText, parseSegmentHeader, readSessionHeader } from '../../crypto/header.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { dayKeyHolder, makeViewingKey } from '../../crypto/viewing-key.ts';
import type { InitEvent } from '../../media/fragmenter.ts';
import { makeSigner } from '../crypto/camera.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const RIGHT = at('2027-03-01T12:00');
const FRAGMENT_US = 200_000;
/** A keyframe each second. */
const KEYFRAME_EVERY = 5;

class Clocks {
  wall: number;
  #monotonic = 50;
  constructor(wall: number) {
    this.wall = wall;
  }
  now = () => this.wall;
  monotonic = () => this.#monotonic;
  sleep = () => Promise.reject(new Error('nothing sleeps here'));
  pass(ms: number): void {
    this.wall += ms;
    this.#monotonic += ms;
  }
}

let inForce: PolicyInForce;
let dayKeys: ReadonlyMap<string, number>;
beforeEach(async () => {
  const key = await makeViewingKey('viewer', new Uint8Array(randomBytes(32)), 1);
  const { viewer } = await dayKeyHolder(key, nodePrimitives);
  dayKeys = new Map([[idText(viewer), 0]]);
  const keys = new Map(key.dayKeys.map((day) => [day.number, day.publicKey]));
  const policy = { camera: '', epoch: 1, counter: 1, viewers: [], mode: 'continuous' as const };
  inForce = { policy: { ...policy, audio: false }, viewers: [{ viewer, floor: 0, keys }] };
});

/** Records as a camera does, while the clock is set at some fragments; gives what the headers say. */
async function film(clock: Clocks, fragments: number, sets: ReadonlyMap<number, number>) {
  const signer = makeSigner();
  const headers: { session: Uint8Array; segments: Uint8Array[] }[] = [];
  let begun: Promise<unknown> = Promise.resolve();
  const counters = emptyCounters();
  const recorder = new Recorder({
    cameraId: await cameraIdOf(signer.point, nodePrimitives),
    signer,
    primitives: nodePrimitives,
    clock,
    counters,
    nextSession: () => {
      const effects = { signer, primitives: nodePrimitives, clock };
      const made = freshSession(undefined, inForce, dayKeys, effects);
      begun = made;
      return made;
    },
    onFailure: (what, cause) => {
      throw new Error(what, { cause });
    },
    store: {
      async beginSession({ id, number, header }) {
        headers.push({ session: header, segments: [] });
        return { id, number, header };
      },
      endSession: () => undefined,
      beginSegment(session: StoredSession, sequence, header) {
        headers.at(-1)?.segments.push(header);
        return { session, sequence, header } as StoredSegment;
      },
      append: () => undefined,
      endSegment: () => undefined,
    },
  });
  recorder.beginRun({
    kind: 'init',
    bytes: new Uint8Array(8),
    info: { video: { timescale: 1000 }, tracks: [{ codec: 'avc1.64001f' }] },
  } as unknown as InitEvent);
  for (let n = 0; n < fragments; n++) {
    clock.pass(FRAGMENT_US / 1000);
    clock.wall = sets.get(n) ?? clock.wall;
    const keyframe = n % KEYFRAME_EVERY === 0;
    recorder.record({
      kind: 'fragment',
      bytes: new Uint8Array(40),
      keyframe,
      durationUs: FRAGMENT_US,
      duration: 200,
      decodeTime: n * 200,
      decodeTimeUs: n * FRAGMENT_US,
      samples: 1,
      filmedMs: clock.monotonic() - FRAGMENT_US / 1000,
    });
    await begun;
    await new Promise(setImmediate);
  }
  await recorder.stop();
  const sessions = await Promise.all(
    headers.map(async ({ session, segments }) => ({
      timeMs: (await readSessionHeader(session, nodePrimitives)).timeMs,
      segments: segments.map((header) => parseSegmentHeader(header).timeMs),
    })),
  );
  return { sessions, counters };
}

const gaps = (times: readonly number[]) =>
  times.slice(1).map((time, index) => time - (times[index] as number));

test('without any jump: one session, segments as far apart as they are long', async () => {
  const { sessions } = await film(new Clocks(RIGHT), 100, new Map());
  expect(sessions).toHaveLength(1);
  expect(sessions[0]?.segments[0]).toBe(RIGHT);
  expect(new Set(gaps(sessions[0]?.segments ?? []))).toEqual(new Set([4000]));
});

describe.each<[string, number]>([
  ['back to 1970', 0],
  ['ahead to 2099', at('2099-01-01T00:00')],
  ['an hour back', RIGHT - 3_600_000],
  ['a day ahead', RIGHT + 86_400_000],
])('a jump %s while a segment grows', (_what, wall) => {
  test('ends the session at the next keyframe, and costs nothing', async () => {
    const { sessions, counters } = await film(new Clocks(RIGHT), 100, new Map([[48, wall]]));
    expect(sessions).toHaveLength(2);
    const [before, after] = sessions.map(({ segments }) => segments);
    expect(before).toEqual([RIGHT, RIGHT + 4000, RIGHT + 8000]);
    // The jump came at the fragment 48; the next keyframe is the fragment 50, 400 ms later.
    expect(after?.[0]).toBe(wall + 400 - FRAGMENT_US / 1000);
    expect(new Set(gaps(after ?? []))).toEqual(new Set([4000]));
    expect(counters).toMatchObject({ skippedFragments: 0, fragments: 100 });
  });
});

test('a clock that is put right by less than the limit waits for the next session', async () => {
  const { sessions } = await film(new Clocks(RIGHT), 100, new Map([[48, RIGHT + 12_000]]));
  expect(sessions).toHaveLength(1);
  expect(new Set(gaps(sessions[0]?.segments ?? []))).toEqual(new Set([4000]));
});

test('whatever the clock does, within a session time goes on as time does', async () => {
  // No header can say a time before 1970, at which the first fragment would have begun otherwise.
  const time = fc.integer({ min: FRAGMENT_US / 1000, max: at('2200-01-01T00:00') });
  const jump = fc.tuple(fc.nat({ max: 79 }), time);
  await fc.assert(
    fc.asyncProperty(fc.array(jump, { maxLength: 4 }), async (jumps) => {
      const { sessions, counters } = await film(new Clocks(RIGHT), 80, new Map(jumps));
      for (const { segments } of sessions) {
        for (const gap of gaps(segments)) expect(gap).toBe(4000);
      }
      expect(counters.skippedFragments).toBe(0);
    }),
    { numRuns: 40 },
  );
});

test.each([
  [0, 'append'],
  [TIME_ERROR_LIMIT_MS, 'append'],
  [TIME_ERROR_LIMIT_MS + 1, 'new-session'],
])('a session whose time is %d ms wrong: %s at a keyframe', (timeErrorMs, step) => {
  const session = { ageMs: 1000, segments: 1, timeErrorMs };
  const state = { segment: { durationUs: 1_000_000, bytes: 100 }, session, sessionOutdated: false };
  expect(nextStep(state, { keyframe: true, bytes: 40 })).toBe(step);
  expect(nextStep(state, { keyframe: false, bytes: 40 })).toBe('append');
});
