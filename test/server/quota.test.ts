import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import {
  FOOTAGE_QUOTA,
  judgeQuota,
  type QuotaVerdict,
  type QuotaView,
  Usage,
} from '../../server/storage/usage.ts';
import { segmentPath, sessionPath } from '../../wire/upload.ts';
import { type CameraDouble, makeSegment, makeSegmentHeader, makeSession } from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';
import {
  ask,
  closeTestServers,
  enrol,
  newCamera,
  openTestServer,
  openUpload,
  type TestServer,
} from './test-server.ts';

/** One camera cannot fill a server's disk for the others. */

afterEach(closeTestServers);

const GIB = 1024 ** 3;
const view: QuotaView = { bytes: GIB, allBytes: 4 * GIB, sessions: 10, cameras: 4, freeBytes: 20 * GIB };
const rules = { ...FOOTAGE_QUOTA, cameraBytes: 10 * GIB, cameraSessions: 100 };
const unbounded = { cameraBytes: undefined };

test.each<[string, Partial<QuotaView>, object, QuotaVerdict]>([
  ['below everything', {}, {}, 'admitted'],
  ['just below its quota', { bytes: 10 * GIB - 1 }, {}, 'admitted'],
  ['at its quota', { bytes: 10 * GIB }, {}, 'quota'],
  ['without a quota', { bytes: 1000 * GIB }, unbounded, 'admitted'],
  ['as many sessions as it may have', { sessions: 100 }, {}, 'sessions'],
  ['disk not looked at yet', { freeBytes: undefined, bytes: 9 * GIB }, {}, 'admitted'],
  ['scarce, and below its share', { allBytes: 85 * GIB, freeBytes: 15 * GIB }, {}, 'admitted'],
  [
    'scarce, and above its share',
    { bytes: 60 * GIB, allBytes: 85 * GIB, freeBytes: 15 * GIB },
    unbounded,
    'share',
  ],
  [
    'not scarce, and above its share',
    { bytes: 60 * GIB, allBytes: 70 * GIB, freeBytes: 30 * GIB },
    unbounded,
    'admitted',
  ],
  [
    'alone, it may fill the disk',
    { bytes: 99 * GIB, allBytes: 99 * GIB, freeBytes: GIB, cameras: 1 },
    unbounded,
    'admitted',
  ],
  ['not counted among the enrolled', { cameras: 0 }, {}, 'admitted'],
])('%s', (_, change, bounds, verdict) => {
  expect(judgeQuota({ ...view, ...change }, { ...rules, ...bounds })).toBe(verdict);
});

async function session(testServer: TestServer, camera: CameraDouble, number = 1) {
  const made = makeSession(camera, number);
  const { status, json } = await ask(testServer.port, camera, 'PUT', sessionPath(made.id), {
    body: made.bytes,
  });
  return { made, status, code: json?.code };
}

/** Uploads a segment of some records of 10 kB. @returns how it ended. */
async function upload(
  testServer: TestServer,
  camera: CameraDouble,
  of: ReturnType<typeof makeSession>,
  sequence: number,
  records = 4,
) {
  const { whole } = makeSegment(makeSegmentHeader(camera, of, sequence), records, 10_000);
  const open = openUpload(testServer.port, camera, segmentPath(of.id, sequence), 0);
  open.write(whole);
  open.end();
  const { status } = await open.done;
  return { status, last: open.lines.at(-1), whole };
}

test('a camera at its quota is refused, what was acknowledged stays, and another goes on', async () => {
  const registry = memoryRegistry();
  const testServer = await openTestServer({ registry, quota: { cameraBytes: 100_000 } });
  const [greedy, modest] = [await newCamera(), await newCamera()];
  for (const camera of [greedy, modest]) await enrol(registry, camera);
  const { made } = await session(testServer, greedy);
  const first = await upload(testServer, greedy, made, 0);
  expect(first.last).toMatchObject({ ended: true });
  const second = await upload(testServer, greedy, made, 1, 20);
  expect(second.last).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  const third = await upload(testServer, greedy, made, 2);
  expect(third).toMatchObject({ status: 507, last: { code: 'QUOTA_EXCEEDED' } });
  expect(await session(testServer, greedy, 2)).toMatchObject({ status: 507, code: 'QUOTA_EXCEEDED' });
  const again = await ask(testServer.port, greedy, 'PUT', sessionPath(made.id), { body: made.bytes });
  expect(again.status).toBe(200);
  const kept = await ask(testServer.port, greedy, 'GET', segmentPath(made.id, 0));
  expect(kept.json).toEqual({ durable: first.whole.length, ended: true });

  const other = await session(testServer, modest);
  expect((await upload(testServer, modest, other.made, 0)).last).toMatchObject({ ended: true });
});

test('[REM-QUOTA_EXCEEDED] a camera at its quota goes on where it was once it has more room', async () => {
  const registry = memoryRegistry();
  const footage = mkdtempSync(join(tmpdir(), 'oriel-quota-'));
  const camera = await newCamera();
  await enrol(registry, camera);
  const small = await openTestServer({ registry, footage, quota: { cameraBytes: 60_000 } });
  const { made } = await session(small, camera);
  expect((await upload(small, camera, made, 0)).last).toMatchObject({ ended: true });
  expect((await upload(small, camera, made, 1)).last).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  await small.stop();
  // As `oriel server run --camera-quota` gives it.
  const large = await openTestServer({ registry, footage, quota: { cameraBytes: 200_000 } });
  expect((await upload(large, camera, made, 2)).last).toMatchObject({ ended: true });
  await large.stop();
  rmSync(footage, { recursive: true });
});

test('sessions are bounded too', async () => {
  const registry = memoryRegistry();
  const testServer = await openTestServer({ registry, quota: { cameraSessions: 2 } });
  const camera = await newCamera();
  await enrol(registry, camera);
  for (const [number, status] of [201, 201, 507].entries()) {
    expect(await session(testServer, camera, number + 1)).toMatchObject({ status });
  }
});

test('without a quota nobody is refused: the control', async () => {
  const testServer = await openTestServer();
  const camera = await newCamera();
  const { made } = await session(testServer, camera);
  for (const sequence of [0, 1, 2]) {
    expect((await upload(testServer, camera, made, sequence, 20)).last).toMatchObject({ ended: true });
  }
});

describe('what a camera takes up', () => {
  const options = (registry: Registry, root: string, disk: Disk = systemDisk) => ({
    footage: new FootageDirectory(disk, root),
    table: registry.usage,
    enrolled: () => registry.enrolled(),
    rules: { ...FOOTAGE_QUOTA, cameraBytes: 150_000 },
    clock: systemClock,
    log: { debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 },
  });

  test('is kept over a restart, and measured where it was never known', async () => {
    const registry = memoryRegistry();
    const testServer = await openTestServer({ registry });
    const camera = await newCamera();
    await enrol(registry, camera);
    const { made } = await session(testServer, camera);
    const { whole } = await upload(testServer, camera, made, 0);

    const usage = await Usage.open(options(registry, testServer.footage));
    await usage.settled;
    const found = usage.of(camera.id);
    expect(found).toMatchObject({ sessions: 1, bytes: whole.length + made.bytes.length + 2 * 4096 });
    usage.grew(camera.id, 1000);
    await usage.write();
    const restarted = await Usage.open(options(registry, '/nowhere'));
    expect(restarted.of(camera.id)).toEqual({ ...found, bytes: found.bytes + 1000 });
  });

  test('is measured again before a camera stays refused: somebody may have made room', async () => {
    const registry = memoryRegistry();
    const testServer = await openTestServer({ registry });
    const camera = await newCamera();
    await enrol(registry, camera);
    await registry.usage.add([{ camera: camera.id, bytes: 10 ** 9, sessions: 3 }]);
    const usage = await Usage.open(options(registry, testServer.footage));
    expect(() => usage.admit(camera.id)).toThrow(expect.objectContaining({ code: 'QUOTA_EXCEEDED' }));
    await usage.settled;
    expect(usage.of(camera.id)).toMatchObject({ bytes: 0, sessions: 0 });
    expect(() => usage.admit(camera.id)).not.toThrow();
  });

  test('where the disk is nearly full, only those above their share are refused', async () => {
    const registry = memoryRegistry();
    const [greedy, modest] = [await newCamera(), await newCamera()];
    for (const camera of [greedy, modest]) await enrol(registry, camera);
    await registry.usage.add([
      { camera: greedy.id, bytes: 900, sessions: 1 },
      { camera: modest.id, bytes: 10, sessions: 1 },
    ]);
    const nearlyFull: Disk = { ...systemDisk, freeBytes: async () => 90 };
    const usage = await Usage.open({ ...options(registry, '/nowhere', nearlyFull), rules: FOOTAGE_QUOTA });
    await usage.settled;
    expect(() => usage.admit(greedy.id)).toThrow(expect.objectContaining({ code: 'QUOTA_EXCEEDED' }));
    expect(() => usage.admit(modest.id)).not.toThrow();
  });
});
