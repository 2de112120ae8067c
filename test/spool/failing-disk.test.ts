import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { CrashDisk } from '../faults/crash-disk.ts';
import { failingDisk, type Operation } from '../faults/failing-disk.ts';
import { faultsOf, faultsOfAccount } from './checker.ts';
import { Camera, type Entry, type Step } from './journal.ts';
import { advancer, openSpool } from './rig.ts';

const DIR = '/spool';
const LIMITS = { maxBytes: 2 ** 24, minFreeBytes: 0, maxMemoryBytes: 2 ** 22, maxTombstones: 1000 };
const append = (bytes: number): Step => ({ do: 'append', bytes });
const wait = (ms: number): Step => ({ do: 'wait', ms });
const begin: Step = { do: 'begin segment' };
const close: Step = { do: 'close segment', closing: true };
const SEGMENT = [begin, append(400), append(400), wait(1000), append(400), wait(1000), close];

interface Fault {
  operation: Operation;
  /** In the path. */
  of: string;
  code: HostError['code'];
}

/** A camera whose disk fails while `faults` holds faults. */
async function cameraOn(inner: Disk, limits: Partial<typeof LIMITS> = {}, dir = DIR) {
  const faults: Fault[] = [];
  const disk = failingDisk(inner, (operation, path) => {
    const fault = faults.find((one) => one.operation === operation && path.includes(one.of));
    return fault && new HostError(fault.code, `cannot ${operation} ${path}`);
  });
  const { spool, clock, said } = await openSpool(disk, dir, { limits: { ...LIMITS, ...limits } });
  const camera = new Camera(spool, advancer(clock));
  const run = async (...steps: Step[]) => {
    for (const step of steps) await camera.do(step);
  };
  const entry = (index: number) => camera.journal.entries[index] as Entry;
  await run({ do: 'begin session', number: 1 });
  return { camera, spool, said, faults, run, entry };
}

const IO: [string, Operation][] = [
  ['creating', 'create'],
  ['opening', 'open'],
  ['writing', 'file.write'],
  ['syncing', 'file.sync'],
  ['closing', 'file.close'],
];

test.each(IO)(
  'EIO on %s one file: the others are written, and it too once that works',
  async (_, operation) => {
    const disk = new CrashDisk();
    const { camera, spool, faults, run } = await cameraOn(disk);
    faults.push({ operation, of: '000001.72.records', code: 'DISK_IO' });
    await run(...SEGMENT, ...SEGMENT, ...SEGMENT, wait(1000));
    const names = (await disk.list(`${DIR}/000000000001-${camera.journal.current.id}`)) ?? [];
    expect(names).toEqual(expect.arrayContaining(['000000.72.records', '000002.72.records']));
    expect(spool.stats().diskErrors).toBeGreaterThan(1);
    expect(spool.stats().diskErrors).toBeLessThan(8);
    expect(await faultsOf(spool, camera.journal, 'SIGKILL')).toEqual([]);

    faults.length = 0;
    await run(wait(30_000));
    const { spool: next } = await openSpool(disk.state.reboot('power cut'), DIR);
    expect(await faultsOf(next, camera.journal, 'SIGKILL')).toEqual([]);
  },
);

test('what a failed sync may have forgotten is written again', async () => {
  const disk = new CrashDisk();
  const { camera, faults, run, entry } = await cameraOn(disk);
  await run(begin, append(400), append(400), wait(2000));
  faults.push({ operation: 'file.sync', of: '.records', code: 'DISK_IO' });
  await run(append(400), close);
  const path = `${DIR}/000000000001-${entry(0).session.id}/000000.72.records`;
  await (await disk.open(path, 'write'))?.truncate(128);
  faults.length = 0;
  await run(wait(1000));
  const { spool: next } = await openSpool(disk.state.reboot('power cut'), DIR);
  expect(await faultsOf(next, camera.journal, 'SIGKILL')).toEqual([]);
});

test('on a disk that takes nothing more (EROFS) the recording goes on in memory, then the oldest go', async () => {
  const disk = new CrashDisk();
  const { camera, spool, faults, run } = await cameraOn(disk, { maxMemoryBytes: 6000 });
  const all: Operation[] = [
    'create',
    'file.write',
    'file.sync',
    'makeDirectory',
    'rename',
    'syncDirectory',
    'unlink',
  ];
  for (const operation of all) faults.push({ operation, of: '', code: 'DISK_IO' });
  for (let i = 0; i < 10; i++) {
    await run(...SEGMENT);
    expect(spool.stats().memoryBytes).toBeLessThanOrEqual(6000);
    expect(faultsOfAccount(spool)).toEqual([]);
  }
  const { droppedSegments, heldUs, diskErrors } = spool.stats();
  expect(droppedSegments).toBeGreaterThan(4);
  expect(heldUs).toBeGreaterThan(0);
  expect(diskErrors).toBeGreaterThan(0);
  await run({ do: 'begin session', number: 2 });
  expect(spool.stats().diskErrors).toBeGreaterThan(diskErrors);

  faults.length = 0;
  await run(wait(31_000), { do: 'end session' });
  const { journal } = camera;
  const dropped = new Set(journal.entries.slice(0, droppedSegments));
  const { spool: next } = await openSpool(disk.state.reboot('power cut'), DIR);
  expect(await faultsOf(next, journal, 'SIGKILL', dropped, dropped)).toEqual([]);
});

test('when room cannot be made, nothing is written into it', async () => {
  const disk = new CrashDisk();
  const { spool, faults, run } = await cameraOn(disk, { maxBytes: 14_000, maxMemoryBytes: 6000 });
  for (let i = 0; i < 3; i++) await run(...SEGMENT);
  for (const operation of ['file.truncate', 'unlink'] as const)
    faults.push({ operation, of: '', code: 'DISK_IO' });
  for (let i = 0; i < 30; i++) {
    await run(...SEGMENT);
    expect(disk.bytes).toBeLessThanOrEqual(14_000);
  }
  expect(spool.stats().memoryBytes).toBeLessThanOrEqual(6000);
  expect(faultsOfAccount(spool)).toEqual([]);
});

test('a read that fails is reported; the segment is given up only after 10 s of it', async () => {
  const disk = new CrashDisk();
  const { camera, spool, faults, run, entry } = await cameraOn(disk, { maxMemoryBytes: 2500 });
  await run(...SEGMENT, ...SEGMENT, ...SEGMENT);
  const [first, second] = spool.segments();
  faults.push({ operation: 'file.read', of: '000000.72.records', code: 'DISK_IO' });
  for (let i = 0; i < 5; i++) {
    await expect(spool.read(first!, 72, 1000)).rejects.toMatchObject({ code: 'DISK_IO' });
    expect(first!.state).toBe('ended');
  }
  expect((await spool.read(second!, 72, 1000)).length).toBeGreaterThan(0);
  await run(wait(10_000));
  await expect(spool.read(first!, 72, 1000)).rejects.toMatchObject({ code: 'DISK_IO' });
  expect(first!.state).toBe('dropped');
  expect(await faultsOf(spool, camera.journal, 'SIGKILL', new Set([entry(0)]))).toEqual([]);
});

test('a segment given up while it is read gives nothing more', async () => {
  let duringRead: () => void = () => undefined;
  const disk = failingDisk(new CrashDisk(), (operation) => {
    if (operation === 'file.read') duringRead();
    return undefined;
  });
  const { spool, run } = await cameraOn(disk, { maxMemoryBytes: 2500 });
  await run(...SEGMENT, ...SEGMENT, ...SEGMENT);
  const [first] = spool.segments();
  duringRead = () => spool.settle(first!);
  expect((await spool.read(first!, 72, 1000)).length).toBe(0);
});

test('a file that cannot be read at the start is left alone, and the rest recovered', async () => {
  const inner = new CrashDisk();
  const { run, camera } = await cameraOn(inner);
  await run(...SEGMENT, ...SEGMENT, ...SEGMENT);
  const disk = failingDisk(inner, (operation, path) =>
    operation === 'file.read' && path.endsWith('000001.72.records')
      ? new HostError('DISK_IO', 'EIO')
      : undefined,
  );
  const { spool, said } = await openSpool(disk, DIR);
  expect(spool.segments().map(({ sequence }) => sequence)).toEqual([0, 2]);
  expect(said).toMatchObject([{ level: 'error' }]);
  expect(spool.isUnread(spool.segments()[0]?.session.id ?? '')).toBe(true);
  for (const segment of spool.segments()) {
    spool.acknowledge(segment, segment.end);
    spool.settle(segment);
  }
  await spool.close();
  for (const entry of camera.journal.entries) entry.settled = entry.sequence !== 1;
  const { spool: later } = await openSpool(inner, DIR);
  expect(later.isUnread(later.segments()[0]?.session.id ?? '')).toBe(false);
  expect(await faultsOf(later, camera.journal, 'SIGKILL')).toEqual([]);
});

test('a session whose header cannot be read at the start is said to be unread', async () => {
  const inner = new CrashDisk();
  const { run, camera } = await cameraOn(inner);
  await run(...SEGMENT);
  const disk = failingDisk(inner, (operation, path) =>
    operation === 'file.read' && path.endsWith('/session') ? new HostError('DISK_IO', 'EIO') : undefined,
  );
  const { spool } = await openSpool(disk, DIR);
  expect(spool.segments()).toEqual([]);
  const { session } = camera.journal.entries[0]!;
  expect(spool.isUnread(session.id)).toBe(true);
  expect(spool.isUnread('0'.repeat(32))).toBe(false);
});

test('a disk that is full before its time: the oldest gives way, nothing fails', async () => {
  const disk = new CrashDisk({ capacity: 16_000 });
  const inner = failingDisk(disk, () => undefined);
  const lying: Disk = new Proxy(inner, {
    get: (target, key) => (key === 'freeBytes' ? async () => 2 ** 30 : Reflect.get(target, key)),
  });
  const { camera, spool, run } = await cameraOn(lying);
  for (let i = 0; i < 20; i++) await run(...SEGMENT);
  await run(wait(5000));
  const { droppedSegments, segments } = spool.stats();
  expect(droppedSegments).toBeGreaterThan(8);
  expect(droppedSegments).toBeLessThan(segments);
  const dropped = new Set(camera.journal.entries.slice(0, droppedSegments));
  expect(await faultsOf(spool, camera.journal, 'SIGKILL', dropped)).toEqual([]);
  const { spool: next } = await openSpool(disk.state.reboot('power cut'), DIR);
  expect(await faultsOf(next, camera.journal, 'SIGKILL', dropped)).toEqual([]);
});

test('a session can be begun on a full disk while there is footage to give way', async () => {
  const disk = new CrashDisk({ capacity: 20_000 });
  const { camera, spool, run } = await cameraOn(disk);
  for (let i = 0; i < 4; i++) await run(...SEGMENT);
  disk.place('/somebody-else', new Uint8Array(20_000 - disk.bytes));
  await run({ do: 'end session' }, { do: 'begin session', number: 2 });
  expect(spool.stats().droppedSegments).toBe(1);
  const dropped = new Set(camera.journal.entries.slice(0, 1));
  expect(await faultsOf(spool, camera.journal, 'SIGKILL', dropped)).toEqual([]);

  for (const segment of spool.segments()) spool.settle(segment);
  await run(wait(250));
  disk.place('/somebody-else-again', new Uint8Array(20_000 - disk.bytes));
  const { diskErrors } = spool.stats();
  await run({ do: 'begin session', number: 3 });
  expect(spool.stats().diskErrors).toBeGreaterThan(diskErrors);
});

describe('a real file system that is full', () => {
  const root = mkdtempSync(join(tmpdir(), 'oriel-full-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** A file system of 256 KiB where this may be mounted; elsewhere the real disk, said to be full by its writes. */
  function smallDisk(): { dir: string; disk: Disk; unmount: () => void; real: boolean } {
    const dir = join(root, 'small');
    mkdirSync(dir);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir], { stdio: 'ignore' });
      return { dir, disk: systemDisk, unmount: () => execFileSync('umount', [dir]), real: true };
    } catch {
      let written = 0;
      const disk = failingDisk(systemDisk, (operation) =>
        operation === 'file.write' && ++written > 60 && written % 3 > 0
          ? new HostError('DISK_FULL', 'ENOSPC')
          : undefined,
      );
      return { dir, disk, unmount: () => undefined, real: false };
    }
  }

  test('drops the oldest, serves what it holds, and is readable afterwards', async () => {
    const { dir, disk, unmount, real } = smallDisk();
    try {
      writeFileSync(join(dir, 'somebody-else'), new Uint8Array(60_000));
      const lying: Disk = { ...disk, freeBytes: async () => 2 ** 30 };
      for (const key of Object.keys(systemDisk) as (keyof Disk)[]) {
        if (key !== 'freeBytes') Object.assign(lying, { [key]: disk[key] });
      }
      const { camera, spool, run } = await cameraOn(lying, {}, join(dir, 'spool'));
      for (let i = 0; i < 25; i++) {
        await run(begin, append(5000), append(5000), wait(1000), append(5000), wait(1000), close);
      }
      await run(wait(31_000));
      const { droppedSegments } = spool.stats();
      if (real) expect(droppedSegments).toBeGreaterThan(8);
      const dropped = new Set(camera.journal.entries.slice(0, droppedSegments));
      expect(await faultsOf(spool, camera.journal, 'SIGKILL', dropped)).toEqual([]);
      await spool.close();
      const { spool: next } = await openSpool(systemDisk, join(dir, 'spool'));
      expect(await faultsOf(next, camera.journal, 'SIGKILL', dropped)).toEqual([]);
      await next.close();
    } finally {
      unmount();
    }
  });
});

test.each(['DISK_FULL', 'DISK_IO'] as const)(
  'a session begins on a disk that fails (%s), counted',
  async (code) => {
    const { spool, faults, run, camera } = await cameraOn(new CrashDisk());
    faults.push({ operation: 'create', of: 'last-session', code });
    const before = spool.stats().diskErrors;
    await run({ do: 'begin session', number: 2 }, ...SEGMENT);
    expect(spool.lastSession()?.session.number).toBe(2);
    expect(spool.stats().diskErrors).toBeGreaterThan(before);
    expect(faultsOfAccount(spool)).toEqual([]);
    expect(camera.journal.entries).toHaveLength(1);
  },
);
