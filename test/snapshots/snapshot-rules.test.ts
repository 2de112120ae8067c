import {
  afterStray,
  allowsSnapshots,
  CLOSEST_SNAPSHOTS_MS,
  isSnapshotDue,
  type SnapshotState,
} from '../../agent/snapshots/snapshot-rules.ts';
import { SnapshotOutbox } from '../../agent/snapshots/snapshots.ts';
import { MAX_SNAPSHOTS_PER_SESSION } from '../../crypto/snapshot.ts';

const MINUTE = 60_000;
const idle: SnapshotState = {
  allowed: true,
  making: false,
  requested: false,
  recordingMs: 3_600_000,
  sinceLastMs: undefined,
  failures: 0,
};

test.each<[string, Partial<SnapshotState>, number, boolean]>([
  ['the first, once exposure has settled', { recordingMs: 2_000 }, MINUTE, true],
  ['not before', { recordingMs: 1_999 }, MINUTE, false],
  ['but when it is asked for', { recordingMs: 0, requested: true }, MINUTE, true],
  ['the next after the interval', { sinceLastMs: MINUTE }, MINUTE, true],
  ['not before', { sinceLastMs: MINUTE - 1 }, MINUTE, false],
  ['before it when asked for', { sinceLastMs: 10_000, requested: true }, MINUTE, true],
  ['no closer than ten seconds', { sinceLastMs: 9_999, requested: true }, MINUTE, false],
  ['none while one is being made', { making: true, requested: true }, MINUTE, false],
  [
    'none where the policy allows none',
    { allowed: false, requested: true, sinceLastMs: MINUTE },
    MINUTE,
    false,
  ],
  ['sooner after one failure', { sinceLastMs: 10_000, failures: 1 }, MINUTE, true],
  ['not at once', { sinceLastMs: 9_999, failures: 1 }, MINUTE, false],
  ['then less and less often', { sinceLastMs: 39_999, failures: 3 }, MINUTE, false],
  ['then less and less often', { sinceLastMs: 40_000, failures: 3 }, MINUTE, true],
  ['ten minutes apart in the end', { sinceLastMs: 599_999, failures: 1000 }, MINUTE, false],
  ['ten minutes apart in the end', { sinceLastMs: 600_000, failures: 1000 }, MINUTE, true],
  ['without an interval none of itself', {}, 0, false],
  ['nor a second', { sinceLastMs: 3_600_000, failures: 1 }, 0, false],
  ['only when asked for', { sinceLastMs: 3_600_000, requested: true }, 0, true],
])('%s: %j, every %d ms: %s', (_, change, intervalMs, due) => {
  expect(isSnapshotDue({ ...idle, ...change }, intervalMs)).toBe(due);
});

test('a session of ten minutes has numbers for as many as can be', () => {
  expect(600_000 / CLOSEST_SNAPSHOTS_MS + 1).toBeLessThan(MAX_SNAPSHOTS_PER_SESSION);
});

test('snapshots lie at the server: they are made where footage does', () => {
  expect(allowsSnapshots('continuous')).toBe(true);
});

test.each([
  [1, 'wait'],
  [2, 'wait'],
  [3, 'give-up'],
])('after %d stray answers: %s', (strays, step) => {
  expect(afterStray(strays)).toBe(step);
});

describe('the outbox', () => {
  const snapshot = (session: string, byte: number) => ({ session, bytes: Uint8Array.of(byte) });

  test('keeps the newest, and counts what it drops', () => {
    const outbox = new SnapshotOutbox(2);
    for (const byte of [1, 2, 3]) outbox.put(snapshot('a', byte));
    expect([outbox.waiting, outbox.dropped]).toEqual([2, 1]);
    expect([1, 2, 3].map(() => outbox.take(() => true)?.bytes[0])).toEqual([2, 3, undefined]);
  });

  test('holds back those whose session the server does not know', () => {
    const outbox = new SnapshotOutbox();
    outbox.put(snapshot('old', 1));
    outbox.put(snapshot('new', 2));
    expect(outbox.take((session) => session === 'new')?.bytes[0]).toBe(2);
    expect(outbox.take((session) => session === 'new')).toBeUndefined();
    expect(outbox.take(() => true)?.bytes[0]).toBe(1);
  });
});
