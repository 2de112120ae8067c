import { concat, toHex } from '../../crypto/bytes.ts';
import type { Disk, DiskFile } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import type { Session } from '../../server/storage/sessions.ts';
import { makeStore } from '../../server/storage/store.ts';
import { sessionDirectoryName } from '../../wire/footage-layout.ts';
import { segmentPath, sessionPath } from '../../wire/upload.ts';
import { type Crash, CrashDisk, type CrashDiskOptions, type CrashState } from '../faults/crash-disk.ts';
import { failingDisk } from '../faults/failing-disk.ts';
import { makeRecord, makeSegment, makeSegmentHeader, makeSession } from './camera-double.ts';
import { ask, closeTestServers, newCamera, openTestServer, openUpload } from './test-server.ts';

afterEach(closeTestServers);

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const CRASHES: Crash[] = ['killed', 'power cut', ...Array.from({ length: 12 }, (_, seed) => seed)];

/** What the camera had been told when the disk was in a state. */
interface Moment {
  readonly state: CrashState;
  readonly session: boolean;
  readonly durable: number;
}

/** Uploads a segment in two requests over a disk that notes every moment before it changes. */
async function uploadOver(options: CrashDiskOptions = {}) {
  const camera = await newCamera();
  const session = makeSession(camera);
  const header = makeSegmentHeader(camera, session);
  const { records, closing, whole } = makeSegment(header, 5, 300);
  const told = { session: false, durable: 0 };
  const moments: Moment[] = [];
  const disk = new CrashDisk({
    ...options,
    onCall: ({ states }) => moments.push(...states.map((state) => ({ state, ...told }))),
  });
  const testServer = await openTestServer({ disk, footage: '/footage', limits: { durableMs: 1 } });
  await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  told.session = true;
  const path = segmentPath(session.id, 0);
  let at = 0;
  for (const parts of [
    [concat(header, ...records.slice(0, 1)), ...records.slice(1, 3)],
    [...records.slice(3), closing],
  ]) {
    const upload = openUpload(testServer.port, camera, path, at);
    for (const part of parts) {
      upload.write(part);
      at += part.length;
      const end = at;
      await upload.line((line) => line.durable === end);
      told.durable = end;
    }
    upload.end();
    await upload.done;
  }
  moments.push({ state: disk.state, ...told });
  return {
    camera,
    session,
    whole,
    moments,
    boundaries: boundariesOf([header, ...records, closing]).filter((at) => at !== header.length),
  };
}

function boundariesOf(parts: readonly Uint8Array[]): number[] {
  let at = 0;
  return [0, ...parts.map((part) => (at += part.length))];
}

/** What a server that starts after a crash has lost of what the camera was told, or has got wrong. */
async function damage(
  { camera, session, whole, boundaries }: Awaited<ReturnType<typeof uploadOver>>,
  moment: Moment,
  crash: Crash,
): Promise<string | undefined> {
  const disk = moment.state.reboot(crash);
  const store = makeStore(await FootageDirectory.open(disk, '/footage', silent), silent);
  const found = await store.sessions.find(camera.id, session.id);
  if (found === undefined) return moment.session ? 'the session is lost' : undefined;
  if (toHex(found.headerHash) !== toHex(session.hash)) return 'the session is another';
  const { durable, position } = await store.segments.inspect({ session: found, sequence: 0 });
  if (durable.length < moment.durable) return `told ${moment.durable} bytes, holds ${durable.length}`;
  if (durable.length !== position.length || !boundaries.includes(durable.length)) return 'no record boundary';
  if (durable.ended !== (durable.length === whole.length)) return 'wrong about the end';
  return contentDamage(disk, found, whole.subarray(0, durable.length));
}

async function contentDamage(disk: CrashDisk, session: Session, expected: Uint8Array) {
  const directory = `/footage/${session.camera}/${sessionDirectoryName(session)}`;
  const { files } = disk.state.after('power cut');
  const content = files.get(`${directory}/000000.oriel`) ?? new Uint8Array(0);
  return Buffer.compare(content, expected) === 0
    ? undefined
    : 'other bytes than were sent, or not yet durable';
}

async function damages(run: Awaited<ReturnType<typeof uploadOver>>): Promise<string[]> {
  const found: string[] = [];
  for (const moment of run.moments) {
    for (const crash of CRASHES) {
      const what = await damage(run, moment, crash);
      if (what !== undefined) found.push(`${crash}: ${what}`);
    }
  }
  return found;
}

describe('what the camera was told to be durable', () => {
  test('is there after a crash at any moment, on a record boundary, durable again', async () => {
    const run = await uploadOver();
    expect(run.moments.length).toBeGreaterThan(20);
    expect(await damages(run)).toEqual([]);
  });

  test.each([
    ['nothing is synced before it is said', (name: string) => name === 'sync'],
    [
      'syncs of session directories do nothing',
      (name: string, path: string) => name === 'sync directory' && /-[0-9a-f]{32}$/.test(path),
    ],
    [
      'syncs of camera directories do nothing',
      (name: string, path: string) => name === 'sync directory' && /\/[a-z2-7]{32}$/.test(path),
    ],
  ])('is missed by this test when %s (negative control)', async (_name, ignore) => {
    expect(await damages(await uploadOver({ ignore }))).not.toEqual([]);
  });

  test('is not said while the sync has not come back', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: asked, resolve: ask1 } = Promise.withResolvers<void>();
    const slow = wrapFiles(new CrashDisk(), (file, path) => ({
      ...bound(file),
      async sync() {
        if (path.endsWith('.oriel')) {
          ask1();
          await released;
        }
        await file.sync();
      },
    }));
    const camera = await newCamera();
    const session = makeSession(camera);
    const testServer = await openTestServer({ disk: slow, footage: '/footage', limits: { durableMs: 1 } });
    await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    const header = makeSegmentHeader(camera, session);
    const { open, closing, whole } = makeSegment(header);
    const upload = openUpload(testServer.port, camera, segmentPath(session.id, 0), 0);
    upload.write(open);
    await asked;
    upload.write(closing);
    upload.end();
    await upload.line((line) => line.received === whole.length);
    expect(upload.lines.every((line) => line.durable === 0 && line.ended === false)).toBe(true);
    release();
    await upload.line((line) => line.durable === whole.length && line.ended === true);
    expect(await upload.done).toEqual({ status: 200, whole: true });
  });
});

test('while the disk stands still the camera is held back, and nothing is lost', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const stuck = wrapFiles(new CrashDisk(), (file, path) => ({
    ...bound(file),
    async write(bytes, position) {
      if (path.endsWith('.oriel') && position > 0) await released;
      await file.write(bytes, position);
    },
  }));
  const camera = await newCamera();
  const session = makeSession(camera);
  const testServer = await openTestServer({ disk: stuck, footage: '/footage' });
  await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  const { whole } = makeSegment(makeSegmentHeader(camera, session), 30, 1 << 20);
  const upload = openUpload(testServer.port, camera, segmentPath(session.id, 0), 0);
  upload.write(whole);
  upload.end();
  let before = -1;
  while (before !== upload.bytesWritten()) {
    before = upload.bytesWritten();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  // What the kernel's buffers hold on both sides, and one record.
  expect(before).toBeLessThan(whole.length / 2);
  release();
  await upload.line((line) => line.durable === whole.length && line.ended === true);
});

describe('a full disk', () => {
  test('keeps and acknowledges the whole records before it, and takes the rest once there is room', async () => {
    const limits = { bytes: 2300 };
    const disk = new CrashDisk({
      get capacity() {
        return limits.bytes;
      },
    });
    const camera = await newCamera();
    const session = makeSession(camera);
    const testServer = await openTestServer({ disk, footage: '/footage' });
    await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
    const { records, open, whole } = makeSegment(makeSegmentHeader(camera, session), 5);
    const path = segmentPath(session.id, 0);
    const upload = openUpload(testServer.port, camera, path, 0);
    for (let sent = 0; sent < open.length; ) {
      const next = sent === 0 ? 72 : sent + records[0]!.length;
      upload.write(open.subarray(sent, next));
      sent = next;
      if (next > 2000) break;
      await upload.line((line) => line.received === next);
    }
    expect(await upload.line((line) => 'code' in line)).toMatchObject({ code: 'STORAGE_FULL' });
    const held = 72 + records[0]!.length * 3;
    expect(upload.lines.at(-2)).toEqual({ received: held, durable: held, ended: false });
    upload.abort();
    limits.bytes = 100_000;
    const rest = openUpload(testServer.port, camera, path, held);
    rest.write(whole.subarray(held));
    rest.end();
    await rest.line((line) => line.ended === true);
    const contents = [...disk.state.after('power cut').files.values()];
    expect(contents.some((content) => Buffer.compare(content, whole) === 0)).toBe(true);
  });

  test('refuses a session: STORAGE_FULL', async () => {
    const camera = await newCamera();
    const session = makeSession(camera);
    const testServer = await openTestServer({ disk: new CrashDisk({ capacity: 10 }), footage: '/footage' });
    const answer = await ask(testServer.port, camera, 'PUT', sessionPath(session.id), {
      body: session.bytes,
    });
    expect(answer).toMatchObject({ status: 507, json: { code: 'STORAGE_FULL' } });
  });
});

describe('a failing disk', () => {
  test.each([
    ['at the end', 10_000],
    ['while the body comes', 1],
  ])(
    'whose sync failed %s is not believed: what it may have dropped is asked for again',
    async (_when, durableMs) => {
      let failures = 1;
      const disk = new CrashDisk();
      const failing = failingDisk(disk, (operation, path) => {
        if (operation !== 'file.sync' || !path.endsWith('.oriel') || failures-- <= 0) return undefined;
        return new HostError('DISK_IO', 'cannot sync: EIO');
      });
      const camera = await newCamera();
      const session = makeSession(camera);
      const testServer = await openTestServer({ disk: failing, footage: '/footage', limits: { durableMs } });
      await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
      const { whole } = makeSegment(makeSegmentHeader(camera, session));
      const path = segmentPath(session.id, 0);
      const upload = openUpload(testServer.port, camera, path, 0);
      upload.write(whole);
      if (durableMs > 1) upload.end();
      expect(await upload.line((line) => 'code' in line)).toMatchObject({ code: 'STORAGE_FAILED' });
      expect(upload.lines.every((line) => !line.durable && !line.ended)).toBe(true);
      expect((await ask(testServer.port, camera, 'GET', path)).json).toEqual({ durable: 0, ended: false });
      const again = openUpload(testServer.port, camera, path, 0);
      again.write(whole);
      again.end();
      await again.line((line) => line.ended === true);
    },
  );

  test.each([['list'], ['open'], ['create'], ['file.write']] as const)(
    'in %s: STORAGE_FAILED',
    async (operation) => {
      let broken = false;
      const disk = failingDisk(new CrashDisk(), (called) =>
        broken && called === operation ? new HostError('DISK_IO', 'EIO') : undefined,
      );
      const camera = await newCamera();
      const session = makeSession(camera);
      const testServer = await openTestServer({ disk, footage: '/footage' });
      await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
      const restarted = await testServer.restart();
      broken = true;
      const header = makeSegmentHeader(camera, session);
      const upload = openUpload(restarted.port, camera, segmentPath(session.id, 0), 0);
      upload.write(concat(header, makeRecord(header, 0)));
      upload.end();
      expect(await upload.line((line) => 'code' in line)).toEqual({
        code: 'STORAGE_FAILED',
        message: "the server's disk failed",
      });
    },
  );
});

test('stopping makes durable what was received, and says so', async () => {
  const disk = new CrashDisk();
  const camera = await newCamera();
  const session = makeSession(camera);
  const testServer = await openTestServer({ disk, footage: '/footage' });
  await ask(testServer.port, camera, 'PUT', sessionPath(session.id), { body: session.bytes });
  const { open } = makeSegment(makeSegmentHeader(camera, session));
  const upload = openUpload(testServer.port, camera, segmentPath(session.id, 0), 0);
  upload.write(open);
  await upload.line((line) => line.received === open.length);
  await testServer.stop();
  await upload.line((line) => line.durable === open.length);
  await upload.done;
  const again = await FootageDirectory.open(disk.state.reboot('power cut'), '/footage', silent);
  const store = makeStore(again, silent);
  const found = await store.sessions.find(camera.id, session.id);
  expect((await store.segments.inspect({ session: found!, sequence: 0 })).durable.length).toBe(open.length);
});

/** A disk whose opened files are exchanged for others. */
function wrapFiles(disk: Disk, wrap: (file: DiskFile, path: string) => DiskFile): Disk {
  const wrapped = async (file: Promise<DiskFile | undefined>, path: string) => {
    const opened = await file;
    return opened && wrap(opened, path);
  };
  return new Proxy(disk, {
    get(target, key) {
      if (key === 'open')
        return (path: string, access: 'read' | 'write') => wrapped(target.open(path, access), path);
      if (key === 'create') return (path: string, mode: number) => wrapped(target.create(path, mode), path);
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function bound(file: DiskFile): DiskFile {
  return {
    write: (bytes, position) => file.write(bytes, position),
    read: (length, position) => file.read(length, position),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
