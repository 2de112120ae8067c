import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEYFRAME_FIFO, SNAPSHOT_FIFO } from '../../agent/capture/snapshot-frame.ts';
import { serveSnapshots } from '../../agent/capture/snapshots.ts';
import { Snapshots } from '../../agent/snapshots/snapshots.ts';
import { cameraIdOf } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { openSnapshot } from '../../crypto/snapshot-opener.ts';
import { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import { systemClock } from '../../host/clock.ts';
import { makeFifo } from '../../host/fifo.ts';
import { until } from '../capture/capture-process.ts';
import { makeSessionPair } from '../crypto/camera.ts';

const JPEG = Buffer.from('ffd8ffe000104a464946ffd9', 'hex');
const TIME_MS = 1_790_000_000_000;
const keyframe = { init: new Uint8Array(700), fragment: new Uint8Array(90_000), timeMs: TIME_MS };

/** Snapshots, and a capture whose worker is a script. */
async function rig(
  script: string,
  wish: { intervalMs?: number; allowed?: () => boolean; timeoutMs?: number } = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-snapshots-'));
  for (const name of [KEYFRAME_FIFO, SNAPSHOT_FIFO]) makeFifo(join(directory, name));
  writeFileSync(join(directory, 'picture'), JPEG);
  const stop = new AbortController();
  const logged: string[] = [];
  const log = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { info: log, warn: log, error: log };
  let nowMs = 0;
  const clock = { ...systemClock, monotonic: () => nowMs };
  const worker = ['/bin/sh', '-c', script.replaceAll('DIR', directory)];
  const served = serveSnapshots(directory, worker, { clock, random: () => 1, logger, signal: stop.signal });
  const snapshots = new Snapshots({
    keyframeFifo: join(directory, KEYFRAME_FIFO),
    snapshotFifo: join(directory, SNAPSHOT_FIFO),
    clock,
    randomBytes: nodePrimitives.random,
    intervalMs: wish.intervalMs ?? 60_000,
    allowed: wish.allowed ?? (() => true),
    logger,
    timeoutMs: wish.timeoutMs ?? 30_000,
  });
  const pair = await makeSessionPair();
  const camera = await cameraIdOf(pair.signer.point, nodePrimitives);
  const begin = () => {
    const session = { camera, sessionHash: pair.begun.hash, secret: pair.begun.secret };
    snapshots.beginSession('ab'.repeat(16), new SnapshotSealer(session, nodePrimitives, pair.signer));
  };
  begin();
  return {
    snapshots,
    pair,
    logged,
    begin,
    pass: (ms: number) => {
      nowMs += ms;
    },
    async close() {
      await snapshots.close();
      stop.abort();
      await served;
      rmSync(directory, { recursive: true });
    },
  };
}

const PICTURE = 'cat >/dev/null; cat DIR/picture';
const tried = (snapshots: Snapshots) => snapshots.counts().made + snapshots.counts().failed;

let open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open) await each.close();
  open = [];
});
async function opened(...args: Parameters<typeof rig>) {
  const made = await rig(...args);
  open.push(made);
  return made;
}

test('a keyframe becomes a snapshot of its session, with its time', async () => {
  const { snapshots, pair, pass } = await opened(PICTURE);
  snapshots.keyframe(keyframe);
  expect(tried(snapshots)).toBe(0);
  pass(2_000);
  snapshots.keyframe(keyframe);
  await until('a snapshot is made', () => snapshots.counts().made === 1);
  const snapshot = snapshots.outbox.take((session) => session === 'ab'.repeat(16));
  const { header, picture } = await openSnapshot(snapshot?.bytes ?? Buffer.of(), pair.opened, nodePrimitives);
  expect(header).toMatchObject({ number: 0, timeMs: TIME_MS });
  expect(Buffer.compare(picture, JPEG)).toBe(0);
});

test('of many keyframes, one now and then, and one when asked for', async () => {
  const { snapshots, pass } = await opened(PICTURE);
  const film = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 4) {
      pass(4_000);
      const before = tried(snapshots);
      snapshots.keyframe(keyframe);
      // What is due is begun at once; then the next keyframe waits for it, as on a camera.
      await until('it is made', () => !snapshots.making || tried(snapshots) > before);
    }
  };
  await film(136);
  expect(snapshots.counts().made).toBe(3);
  expect(snapshots.request()).toBe(true);
  await film(8);
  expect(snapshots.counts().made).toBe(4);
  expect(snapshots.request()).toBe(false);
  await film(8);
  expect(snapshots.counts().made).toBe(4);
});

test('a session that ends meanwhile gets none, and the next gets its own', async () => {
  const { snapshots, begin, pass } = await opened(`sleep 0.5; ${PICTURE}`);
  pass(2_000);
  snapshots.keyframe(keyframe);
  snapshots.endSession();
  begin();
  await until('it is over', () => tried(snapshots) === 1);
  expect(snapshots.counts()).toMatchObject({ made: 0, lastFault: 'SESSION_ENDED', waiting: 0 });
  pass(10_000);
  snapshots.keyframe(keyframe);
  await until('it is over', () => tried(snapshots) === 2);
  expect(snapshots.counts().made).toBe(1);
});

test.each([
  ['a worker that dies', 'kill -9 $$', 'NO_PICTURE'],
  ['a worker that brings rubbish', 'cat >/dev/null; echo rubbish', 'RUBBISH'],
  ['a worker that stands still', 'sleep 60', 'LATE'],
])('%s costs a snapshot, is told once, and is tried again less and less often', async (_, script, fault) => {
  const { snapshots, logged, pass } = await opened(script, { timeoutMs: fault === 'LATE' ? 300 : 30_000 });
  pass(2_000);
  snapshots.keyframe(keyframe);
  await until('it is over', () => tried(snapshots) === 1);
  expect(snapshots.counts()).toMatchObject({ made: 0, failed: 1, lastFault: fault });
  snapshots.keyframe(keyframe);
  expect(snapshots.making).toBe(false);
  pass(10_000);
  snapshots.keyframe(keyframe);
  await until('it is over', () => tried(snapshots) === 2);
  pass(10_000);
  snapshots.keyframe(keyframe);
  expect(snapshots.making).toBe(false);
  expect(logged.filter((line) => line.startsWith('no snapshot of this keyframe'))).toHaveLength(1);
});

test('none where the policy allows none, of a keyframe too long, or without a session', async () => {
  const { snapshots, pass } = await opened(PICTURE, { allowed: () => false });
  pass(2_000);
  snapshots.keyframe(keyframe);
  expect([snapshots.making, snapshots.request()]).toEqual([false, false]);
  const other = await opened(PICTURE);
  other.pass(2_000);
  other.snapshots.keyframe({ ...keyframe, fragment: new Uint8Array(10 * 1024 * 1024) });
  expect(other.snapshots.making).toBe(false);
  other.snapshots.endSession();
  other.snapshots.keyframe(keyframe);
  expect(other.snapshots.making).toBe(false);
});
