import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withRegistry } from '../../cli/server/registry.ts';
import { systemDisk } from '../../host/disk.ts';
import { initServer } from '../../server/pki/identity.ts';
import { commandPatience, writerOf } from '../../server/registry/patience.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { RegistryWrites } from '../../server/registry/registry-writes.ts';
import { SqliteDatabase } from '../../server/registry/sqlite.ts';
import { POLICY_PATH } from '../../wire/enrolment.ts';
import { segmentPath, sessionPath } from '../../wire/upload.ts';
import { exitOf } from '../exit-of.ts';
import { ManualClock } from '../faults/manual-clock.ts';
import {
  type CameraDouble,
  makeCamera,
  makeRecord,
  makeSegmentHeader,
  makeSession,
} from './camera-double.ts';
import { holdLock, type LockHolder } from './lock-holder.ts';
import { reenrolAt, requestOf } from './newcomer.ts';
import { ask, cameraAuthority, closeTestServers, enrol, openTestServer, openUpload } from './test-server.ts';

/** What a held lock may add to an answer. */
const LIMIT_MS = 1_000;
let directory: string;
let registry: Registry;
let camera: CameraDouble;
const holders: LockHolder[] = [];

beforeEach(async () => {
  directory = join(mkdtempSync(join(tmpdir(), 'oriel-locked-')), 'house');
  await initServer(systemDisk, directory, { hosts: ['localhost'], port: 8443, now: new Date() });
  registry = await openRegistry(directory);
  camera = makeCamera(cameraAuthority);
  await enrol(registry, camera);
});
afterEach(async () => {
  for (const holder of holders.splice(0)) await holder.release();
  await closeTestServers();
  await registry.close();
  rmSync(join(directory, '..'), { recursive: true });
});

async function hold() {
  const holder = await holdLock(join(directory, 'registry.db'));
  holders.push(holder);
  return holder;
}

async function timed<T>(work: Promise<T>): Promise<{ readonly ms: number; readonly answer: T }> {
  const from = performance.now();
  const answer = await work;
  return { ms: performance.now() - from, answer };
}

test('[FC-03] a server whose registry another process holds answers within a second, and cuts nobody off [TM-35]', async () => {
  const testServer = await openTestServer({ registry });
  const session = makeSession(camera);
  await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  const header = makeSegmentHeader(camera, session);
  const upload = openUpload(testServer.port, camera, segmentPath(session.id, 0), 0);
  upload.write(header);
  const records = [makeRecord(header, 0), makeRecord(header, 1)] as const;
  const askPolicy = () => timed(ask(testServer.port, camera, 'GET', POLICY_PATH));
  const makeDurable = async (record: Uint8Array, before: number) => {
    upload.write(record);
    return timed(upload.line(({ durable }) => Number(durable) > before));
  };
  // The same without the lock: what this machine takes for it now.
  const free = { policy: await askPolicy(), durable: await makeDurable(records[0], header.length) };
  const holder = await hold();

  const renewing = timed(reenrolAt(testServer.port, camera, requestOf(camera.key)));
  const policy = await askPolicy();
  expect(policy.answer.json.code).toBe('POLICY_NONE');
  expect(policy.ms - free.policy.ms).toBeLessThan(LIMIT_MS);
  const durable = await makeDurable(records[1], header.length + records[0].length);
  expect(durable.ms - free.durable.ms).toBeLessThan(LIMIT_MS);
  const renewed = await renewing;
  expect(renewed.answer).toMatchObject({ status: 500, json: { code: 'STORAGE_FAILED' } });
  expect(renewed.ms - free.policy.ms).toBeLessThan(LIMIT_MS);

  // What the camera asked again is written the moment it can be.
  const again = reenrolAt(testServer.port, camera, requestOf(camera.key));
  await holder.release();
  expect((await again).status).toBe(200);
  expect((await registry.camera(camera.id))?.serial).not.toBe('01');
  await testServer.stop();
  expect((await registry.camera(camera.id))?.lastSeenAtMs).toBeDefined();
});

test('control: a registry that waits for the lock within a call holds everybody up [TM-35]', async () => {
  const waitMs = LIMIT_MS * 1.5;
  const waiting = await openRegistry(directory, { waitMs, waiting: () => undefined, gaveUp: () => '' });
  const testServer = await openTestServer({ registry: waiting });
  await hold();
  const renewing = reenrolAt(testServer.port, camera, requestOf(camera.key));
  const policy = await timed(ask(testServer.port, camera, 'GET', POLICY_PATH));
  const renewed = await timed(renewing);
  expect(policy.ms + renewed.ms).toBeGreaterThan(LIMIT_MS);
  await waiting.close();
});

test('[FC-03] a command waits for the registry, says for whom, and then does its work', async () => {
  const holder = await hold();
  const oriel = fileURLToPath(new URL('../../oriel', import.meta.url));
  const child = spawn(oriel, ['server', 'camera', 'name', directory, camera.id, 'Door'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [line] = await once(createInterface({ input: child.stderr }), 'line');
  expect(line).toMatch(new RegExp(`waiting up to 30 s for process ${holder.pid} \\(.+\\)`));
  await holder.release();
  expect(await exitOf(child)).toEqual([0, null]);
  expect((await registry.camera(camera.id))?.name).toBe('Door');
});

test('[FC-03] [REM-REGISTRY_BUSY] a command gives up with REGISTRY_BUSY, and once the holder has ended the same command works', async () => {
  const holder = await hold();
  const said: string[] = [];
  const rename = async (waitMs: number) =>
    withRegistry(
      directory,
      (own) => own.rename(camera.id, 'Door'),
      commandPatience(directory, (text) => void said.push(text), waitMs),
    );
  await expect(rename(50)).rejects.toMatchObject({
    code: 'REGISTRY_BUSY',
    message: expect.stringMatching(/process \d+ .* nothing was written: let it end, then do this again/),
  });
  expect(said).toHaveLength(1);
  await holder.release();
  await rename(50);
  expect((await registry.camera(camera.id))?.name).toBe('Door');
});

describe('writes that wait', () => {
  let first: SqliteDatabase;
  let second: SqliteDatabase;
  beforeEach(() => {
    const migrations = { generation: 1, steps: ['CREATE TABLE log (line TEXT);'] };
    first = new SqliteDatabase(join(directory, 'log.db'), migrations);
    second = new SqliteDatabase(join(directory, 'log.db'), migrations);
  });
  afterEach(async () => {
    await first.close();
    await second.close();
  });
  const put = (line: string) => () => first.run('INSERT INTO log VALUES ($1)', line);
  const lines = async () =>
    (await first.query<{ line: string }>('SELECT line FROM log')).map(({ line }) => line);

  test('are written in order once the lock is free', async () => {
    const writes = new RegistryWrites(() => performance.now());
    let written: Promise<unknown> | undefined;
    await second.transaction(async () => {
      written = Promise.all(['a', 'b', 'c'].map((line) => writes.write(put(line), 60_000)));
    });
    await written;
    expect(await lines()).toEqual(['a', 'b', 'c']);
  });

  test('are given up one by one when their time is over, and are at most so many', async () => {
    const clock = new ManualClock();
    const writes = new RegistryWrites(() => clock.monotonic(), 2);
    await second.run('BEGIN IMMEDIATE');
    const short = writes.write(put('short'), 10);
    const long = writes.write(put('long'), 1_000);
    await expect(writes.write(put('one too many'), 1_000)).rejects.toThrow('too much waits');
    clock.advance(20);
    await expect(short).rejects.toMatchObject({ code: 'REGISTRY_BUSY' });
    await second.run('COMMIT');
    await long;
    expect(await lines()).toEqual(['long']);
  });
});

test('the writer of a registry is found by its inode and the byte that it locks', () => {
  const line = (kind: string, access: string, pid: number, inode: number, from: number) =>
    `1: ${kind}  ADVISORY  ${access} ${pid} fe:00:${inode} ${from} ${from}`;
  const table: [string, string, number | undefined][] = [
    ['the writer', line('POSIX', 'WRITE', 7, 42, 120), 7],
    ['a reader', line('POSIX', 'READ', 7, 42, 120), undefined],
    ['of another file', line('POSIX', 'WRITE', 7, 43, 120), undefined],
    ['of another byte', line('POSIX', 'WRITE', 7, 42, 121), undefined],
    ['of another kind', line('FLOCK', 'WRITE', 7, 42, 120), undefined],
    ['in another container', line('POSIX', 'WRITE', 0, 42, 120), undefined],
    ['no line', '', undefined],
  ];
  for (const [name, lines, pid] of table) expect([name, writerOf(lines, 42)]).toEqual([name, pid]);
});
