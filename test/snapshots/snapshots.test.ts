import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEYFRAME_FIFO, STILL_FIFO } from '../../agent/capture/snapshot-frame.ts';
import { serveStills } from '../../agent/capture/snapshots.ts';
import { Stills } from '../../agent/snapshots/snapshots.ts';
import { cameraIdOf } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { openStill } from '../../crypto/still-opener.ts';
import { StillSealer } from '../../crypto/still-sealer.ts';
import { systemClock } from '../../host/clock.ts';
import { makeFifo } from '../../host/fifo.ts';
import { until } from '../capture/capture-process.ts';
import { makeSessionPair } from '../crypto/camera.ts';

const JPEG = Buffer.from('ffd8ffe000104a464946ffd9', 'hex');
const TIME_MS = 1_790_000_000_000;
const keyframe = { init: new Uint8Array(700), fragment: new Uint8Array(90_000), timeMs: TIME_MS };

/** Stills, and a capture whose worker is a script. */
async function rig(
  script: string,
  wish: { intervalMs?: number; allowed?: () => boolean; timeoutMs?: number } = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-stills-'));
  for (const name of [KEYFRAME_FIFO, STILL_FIFO]) makeFifo(join(directory, name));
  writeFileSync(join(directory, 'picture'), JPEG);
  const stop = new AbortController();
  const logged: string[] = [];
  const log = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { info: log, warn: log, error: log };
  let nowMs = 0;
  const clock = { ...systemClock, monotonic: () => nowMs };
  const worker = ['/bin/sh', '-c', script.replaceAll('DIR', directory)];
  const served = serveStills(directory, worker, { clock, random: () => 1, logger, signal: stop.signal });
  const stills = new Stills({
    keyframeFifo: join(directory, KEYFRAME_FIFO),
    stillFifo: join(directory, STILL_FIFO),
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
    stills.beginSession('ab'.repeat(16), new StillSealer(session, nodePrimitives, pair.signer));
  };
  begin();
  return {
    stills,
    pair,
    logged,
    begin,
    pass: (ms: number) => {
      nowMs += ms;
    },
    async close() {
      await stills.close();
      stop.abort();
      await served;
      rmSync(directory, { recursive: true });
    },
  };
}

const PICTURE = 'cat >/dev/null; cat DIR/picture';
const tried = (stills: Stills) => stills.counts().made + stills.counts().failed;

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

test('a keyframe becomes a still of its session, with its time', async () => {
  const { stills, pair, pass } = await opened(PICTURE);
  stills.keyframe(keyframe);
  expect(tried(stills)).toBe(0);
  pass(2_000);
  stills.keyframe(keyframe);
  await until('a still is made', () => stills.counts().made === 1);
  const still = stills.outbox.take((session) => session === 'ab'.repeat(16));
  const { header, picture } = await openStill(still?.bytes ?? Buffer.of(), pair.opened, nodePrimitives);
  expect(header).toMatchObject({ number: 0, timeMs: TIME_MS });
  expect(Buffer.compare(picture, JPEG)).toBe(0);
});

test('of many keyframes, one now and then, and one when asked for', async () => {
  const { stills, pass } = await opened(PICTURE);
  const film = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 4) {
      pass(4_000);
      const before = tried(stills);
      stills.keyframe(keyframe);
      // What is due is begun at once; then the next keyframe waits for it, as on a camera.
      await until('it is made', () => !stills.making || tried(stills) > before);
    }
  };
  await film(136);
  expect(stills.counts().made).toBe(3);
  expect(stills.request()).toBe(true);
  await film(8);
  expect(stills.counts().made).toBe(4);
  expect(stills.request()).toBe(false);
  await film(8);
  expect(stills.counts().made).toBe(4);
});

test('a session that ends meanwhile gets none, and the next gets its own', async () => {
  const { stills, begin, pass } = await opened(`sleep 0.5; ${PICTURE}`);
  pass(2_000);
  stills.keyframe(keyframe);
  stills.endSession();
  begin();
  await until('it is over', () => tried(stills) === 1);
  expect(stills.counts()).toMatchObject({ made: 0, lastFault: 'SESSION_ENDED', waiting: 0 });
  pass(10_000);
  stills.keyframe(keyframe);
  await until('it is over', () => tried(stills) === 2);
  expect(stills.counts().made).toBe(1);
});

test.each([
  ['a worker that dies', 'kill -9 $$', 'NO_PICTURE'],
  ['a worker that brings rubbish', 'cat >/dev/null; echo rubbish', 'RUBBISH'],
  ['a worker that stands still', 'sleep 60', 'LATE'],
])('%s costs a still, is told once, and is tried again less and less often', async (_, script, fault) => {
  const { stills, logged, pass } = await opened(script, { timeoutMs: fault === 'LATE' ? 300 : 30_000 });
  pass(2_000);
  stills.keyframe(keyframe);
  await until('it is over', () => tried(stills) === 1);
  expect(stills.counts()).toMatchObject({ made: 0, failed: 1, lastFault: fault });
  stills.keyframe(keyframe);
  expect(stills.making).toBe(false);
  pass(10_000);
  stills.keyframe(keyframe);
  await until('it is over', () => tried(stills) === 2);
  pass(10_000);
  stills.keyframe(keyframe);
  expect(stills.making).toBe(false);
  expect(logged.filter((line) => line.startsWith('no still of this keyframe'))).toHaveLength(1);
});

test('none where the policy allows none, of a keyframe too long, or without a session', async () => {
  const { stills, pass } = await opened(PICTURE, { allowed: () => false });
  pass(2_000);
  stills.keyframe(keyframe);
  expect([stills.making, stills.request()]).toEqual([false, false]);
  const other = await opened(PICTURE);
  other.pass(2_000);
  other.stills.keyframe({ ...keyframe, fragment: new Uint8Array(10 * 1024 * 1024) });
  expect(other.stills.making).toBe(false);
  other.stills.endSession();
  other.stills.keyframe(keyframe);
  expect(other.stills.making).toBe(false);
});
