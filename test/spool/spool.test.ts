import type { SpooledSegment } from '../../agent/spool/spooled-segment.ts';
import type { StoredSegment } from '../../agent/spool/stored-segment.ts';
import { RECORD_TYPES } from '../../crypto/record.ts';
import { HostError } from '../../host/errors.ts';
import { CrashDisk } from '../faults/crash-disk.ts';
import { failingDisk } from '../faults/failing-disk.ts';
import { drain, faultsOf, faultsOfAccount, find } from './checker.ts';
import { makeSegment, makeSession, primitives } from './footage.ts';
import { bytesOf, Camera, type Entry, type Step } from './journal.ts';
import { advancer, openSpool } from './rig.ts';

const DIR = '/spool';
const LIMITS = { maxBytes: 2 ** 24, minFreeBytes: 0, maxMemoryBytes: 2 ** 22, maxTombstones: 1000 };
const append = (bytes: number): Step => ({ do: 'append', bytes });
const wait = (ms: number): Step => ({ do: 'wait', ms });
const begin: Step = { do: 'begin segment' };
const close: Step = { do: 'close segment', closing: true };

async function cameraWith(limits: Partial<typeof LIMITS> = {}, disk?: CrashDisk) {
  const calls: string[] = [];
  const onCall = ({ name, path }: { name: string; path: string }) =>
    calls.push(`${name} ${path.split('/').at(-1)}`);
  const used = disk ?? new CrashDisk({ onCall });
  const { spool, clock, said } = await openSpool(used, DIR, { limits: { ...LIMITS, ...limits } });
  const camera = new Camera(spool, advancer(clock));
  const run = async (...steps: Step[]) => {
    for (const step of steps) await camera.do(step);
  };
  const entry = (index: number) => camera.journal.entries[index] as Entry;
  const handle = (index: number) => camera.handles.get(entry(index)) as StoredSegment;
  await run({ do: 'begin session', number: 1 });
  calls.length = 0;
  return { camera, spool, clock, said, disk: used, calls, run, entry, handle };
}

describe('memory first', () => {
  test('a segment whose records are acknowledged within a second never touches the disk', async () => {
    const { run, calls, spool } = await cameraWith();
    for (let i = 0; i < 4; i++) {
      await run(begin, append(100), wait(500), append(100), wait(500));
      await run({ do: 'acknowledge', segment: i, records: 2 }, close, {
        do: 'acknowledge',
        segment: i,
        records: 1,
      });
      await run({ do: 'settle', segment: i });
    }
    await run(wait(5000));
    expect(calls).toEqual([]);
    expect(spool.segments()).toEqual([]);
    expect(spool.stats()).toMatchObject({ heldUs: 0, memoryBytes: 0, acknowledgedUs: 800_000, droppedUs: 0 });
  });

  test.each([0, 700, 1200])(
    'the spool writes by itself what came %i ms after a pass, within 1.5 s',
    async (after) => {
      const { camera, clock, disk, spool, entry } = await cameraWith();
      const pass = async (ms: number) => {
        clock.advance(ms);
        // Whatever it does, on a disk in memory, is over by then.
        await new Promise((turn) => setTimeout(turn, 20));
      };
      await pass(250);
      await pass(after);
      await camera.do(begin);
      await camera.do(append(100));
      for (let waited = 0; waited < 1500; waited += 50) await pass(50);
      const path = `${DIR}/000000000001-${entry(0).session.id}/000000.72.records`;
      expect((await disk.stat(path))?.bytes).toBe(128 + bytesOf(entry(0)).length - 72);
      await spool.close();
    },
  );

  test('a record unacknowledged for 1.5 s is in its file, and each file is synced once, when its segment ends', async () => {
    const { run, calls, disk, entry } = await cameraWith();
    await run(begin, append(100), append(100), wait(1500));
    const path = `${DIR}/000000000001-${entry(0).session.id}/000000.72.records`;
    expect((await disk.stat(path))?.bytes).toBe(128 + bytesOf(entry(0)).length - 72);
    await run(append(100), wait(1500), append(100), wait(1500));
    expect((await disk.stat(path))?.bytes).toBe(128 + bytesOf(entry(0)).length - 72);
    expect(calls.filter((call) => call.endsWith('.records') && call.startsWith('sync'))).toEqual([]);
    calls.length = 0;
    await run(append(100), close, wait(3000));
    const [id] = [`000000000001-${entry(0).session.id}`];
    expect(calls).toEqual([
      'write 000000.72.records',
      'write 000000.72.records',
      'sync 000000.72.records',
      `sync directory ${id}`,
    ]);
  });

  test('every byte that memory lets go of is read back from the disk', async () => {
    const { run, spool, camera, handle } = await cameraWith({ maxMemoryBytes: 4000 });
    for (let i = 0; i < 6; i++)
      await run(begin, append(700), append(700), wait(750), append(700), wait(750), close);
    expect(spool.stats().memoryBytes).toBeLessThanOrEqual(4000);
    expect((handle(0) as SpooledSegment).memoryBytes).toBe(0);
    expect(spool.stats()).toMatchObject({ droppedUs: 0, segments: 6 });
    expect(await faultsOf(spool, camera.journal, 'SIGKILL')).toEqual([]);
  });
});

describe('reading', () => {
  test.each([
    ['memory', 0],
    ['the disk', 1000],
  ])('gives whole records from any record on, from %s', async (_, evicted) => {
    const { run, spool, handle, entry } = await cameraWith();
    await run(begin, append(500), append(500), append(500), wait(2000));
    (handle(0) as SpooledSegment).file!.synced = 3;
    (handle(0) as SpooledSegment).evict(evicted);
    const truth = bytesOf(entry(0));
    const [first, second, third] = entry(0).records.map(({ end }) => end) as [number, number, number];
    const read = async (offset: number, maxBytes: number) => {
      const bytes = await spool.read(handle(0), offset, maxBytes);
      expect(truth.subarray(offset, offset + bytes.length).equals(bytes)).toBe(true);
      return offset + bytes.length;
    };
    expect(await read(0, 1)).toBe(first);
    expect(await read(72, 1)).toBe(first);
    expect(await read(72, 1100)).toBe(second);
    expect(await read(first, 10_000)).toBe(third);
    expect(await read(second, 10_000)).toBe(third);
    expect(await read(third, 10_000)).toBe(third);
    await expect(read(third - 1, 100)).rejects.toMatchObject({ code: 'SPOOL_OFFSET' });
    await expect(read(100, 100)).rejects.toMatchObject({ code: 'SPOOL_OFFSET' });
  });

  test('refuses what was acknowledged and freed', async () => {
    const { run, spool, handle, entry } = await cameraWith();
    await run(begin, append(500), append(500), { do: 'acknowledge', segment: 0, records: 1 });
    await expect(spool.read(handle(0), 72, 100)).rejects.toMatchObject({ code: 'SPOOL_OFFSET' });
    expect((await spool.read(handle(0), entry(0).records[0]!.end, 100)).length).toBe(525);
  });

  test('an empty open segment has its header to give', async () => {
    const { run, spool, handle, entry } = await cameraWith();
    await run(begin);
    expect(handle(0)).toMatchObject({ base: 0, end: 72, state: 'open' });
    expect(Buffer.from(await spool.read(handle(0), 0, 10)).equals(entry(0).made.header)).toBe(true);
    spool.acknowledge(handle(0), 72);
    expect(handle(0)).toMatchObject({ base: 72, end: 72, oldestHeldAt: undefined });
  });

  test('a damaged record is never given: the second time its segment is dropped, others go on', async () => {
    const { run, spool, disk, camera, entry, handle } = await cameraWith({ maxMemoryBytes: 1500 });
    for (let i = 0; i < 2; i++) await run(begin, append(500), append(500), wait(1500), close);
    await run(begin, append(400), append(400), wait(1500), append(400), wait(1500), close);
    const path = `${DIR}/000000000001-${entry(0).session.id}/000000.72.records`;
    const file = await disk.open(path, 'write');
    await file?.write(Uint8Array.of(1, 2, 3), 128 + 600);
    const [first] = entry(0).records.map(({ end }) => end) as [number];
    expect((await spool.read(handle(0), 72, 10_000)).length).toBe(first - 72);
    await expect(spool.read(handle(0), first, 1000)).rejects.toMatchObject({ code: 'SPOOL_DAMAGED' });
    expect(handle(0).state).toBe('ended');
    await expect(spool.read(handle(0), first, 1000)).rejects.toMatchObject({ code: 'SPOOL_DAMAGED' });
    expect(handle(0)).toMatchObject({ state: 'dropped', droppedUs: 200_000 });
    expect(await faultsOf(spool, camera.journal, 'SIGKILL', new Set([entry(0)]))).toEqual([]);
  });
});

describe('acknowledging', () => {
  test('frees whole records only, never beyond the end, and never goes back', async () => {
    const { run, spool, handle, entry } = await cameraWith();
    await run(begin, append(500), append(500));
    const [first, second] = entry(0).records.map(({ end }) => end) as [number, number];
    spool.acknowledge(handle(0), first + 10);
    expect(handle(0).base).toBe(first);
    spool.acknowledge(handle(0), 72);
    expect(handle(0).base).toBe(first);
    spool.acknowledge(handle(0), 1_000_000);
    expect(handle(0)).toMatchObject({ base: second, end: second });
    expect(spool.stats()).toMatchObject({ acknowledgedUs: 200_000, heldUs: 0, memoryBytes: 0 });
  });

  test('of a cut segment the server may have more than the spool', async () => {
    const { run, spool, handle, entry } = await cameraWith();
    await run(begin, append(500), { do: 'close segment', closing: false });
    const end = entry(0).records[0]!.end;
    spool.acknowledge(handle(0), end + 300);
    expect(handle(0)).toMatchObject({ base: end + 300, end: end + 300, state: 'cut' });
    expect(handle(0).vouched).toMatchObject({ records: 1, digest: entry(0).records[0]!.record.digest });
    expect((await spool.read(handle(0), end + 300, 100)).length).toBe(0);
  });

  test('frees the file when all is acknowledged, the directory when another session has begun', async () => {
    const { run, disk, entry } = await cameraWith();
    await run(begin, append(500), wait(2000), close);
    const directory = `${DIR}/000000000001-${entry(0).session.id}`;
    expect(await disk.list(directory)).toEqual(['000000.72.records', 'session']);
    await run({ do: 'acknowledge', segment: 0, records: 3 }, wait(250));
    expect(await disk.list(directory)).toEqual(['session']);
    await run(
      { do: 'settle', segment: 0 },
      { do: 'end session' },
      { do: 'begin session', number: 2 },
      wait(250),
    );
    expect(await disk.list(directory)).toBeUndefined();
  });

  test('beyond what the file holds, what follows goes to a new file, and the old one goes', async () => {
    const { run, disk, entry } = await cameraWith();
    await run(begin, append(500), append(500), wait(1500), append(500));
    await run({ do: 'acknowledge', segment: 0, records: 3 }, append(500), wait(1500));
    const directory = `${DIR}/000000000001-${entry(0).session.id}`;
    const start = entry(0).records[2]!.end;
    expect(await disk.list(directory)).toEqual([`000000.${start}.records`, 'session']);
  });

  test('what is settled without having been acknowledged counts as dropped', async () => {
    const { run, spool, handle } = await cameraWith();
    await run(begin, append(500), append(500), close);
    spool.settle(handle(0));
    expect(spool.stats()).toMatchObject({ droppedUs: 200_000, acknowledgedUs: 0, heldUs: 0, segments: 0 });
    expect(faultsOfAccount(spool)).toEqual([]);
  });
});

describe('segments', () => {
  test('change their state as they end, and tell it', async () => {
    const { run, spool, handle, entry } = await cameraWith();
    const states: string[] = [];
    const stop = spool.subscribe(() =>
      states.push(
        spool
          .segments()
          .map(({ state }) => state)
          .join(),
      ),
    );
    await run(begin, append(10), close, begin, { do: 'close segment', closing: false });
    expect(states).toEqual(['open', 'open', 'open', 'ended', 'ended,open', 'ended,cut']);
    stop();
    await run(begin);
    expect(states).toHaveLength(6);
    expect(handle(0).vouched).toMatchObject({ records: 1, digest: entry(0).records[0]!.record.digest });
    expect(handle(1).vouched).toMatchObject({ records: 0, digest: entry(1).made.digest });
  });

  test('take nothing once they have ended, nor does the spool once it is closed', async () => {
    const { run, spool, handle, entry } = await cameraWith();
    await run(begin, append(10), close);
    const record = entry(0).made.next(RECORD_TYPES.fragment, 10, 1);
    expect(() => spool.append(handle(0), record)).toThrow(expect.objectContaining({ code: 'SPOOL_CLOSED' }));
    await spool.close();
    await expect(spool.beginSession(new Uint8Array(300), makeSession(9))).rejects.toMatchObject({
      code: 'SPOOL_CLOSED',
    });
  });

  test('begin in the current session only', async () => {
    const { run, spool } = await cameraWith();
    const old = spool.lastSession()!.session;
    await run({ do: 'begin session', number: 2 });
    const { header, digest } = makeSegment(makeSession(1), 0);
    expect(() => spool.beginSegment(old, 0, header, digest)).toThrow(
      expect.objectContaining({ code: 'SPOOL_CLOSED' }),
    );
  });
});

test('closing writes everything, and the next life has it all', async () => {
  const disk = new CrashDisk();
  const { run, spool, camera } = await cameraWith({}, disk);
  await run(begin, append(500), close, begin, append(300), append(300));
  await spool.close();
  camera.journal.open!.endedAt = camera.journal.now;
  const { spool: next } = await openSpool(disk.state.reboot('power cut'), DIR);
  expect(await faultsOf(next, camera.journal, 'SIGKILL')).toEqual([]);
  expect(next.segments().map(({ state }) => state)).toEqual(['ended', 'cut']);
  expect(next.stats()).toMatchObject({ capturedUs: 200_000, heldUs: 200_000 });
});

test('an ended segment with a file is synced at once, without waiting for the next look', async () => {
  const { run, spool, handle, entry, calls } = await cameraWith();
  await run(begin, append(500), wait(1500));
  calls.length = 0;
  spool.append(handle(0), entry(0).made.next(RECORD_TYPES.closing, 10, 0));
  spool.endSegment(handle(0));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toContain('sync 000000.72.records');
});

describe('at the start', () => {
  const fileOf = (entry: Entry, name: string) => `${DIR}/000000000001-${entry.session.id}/${name}`;

  test('a torn end is cut off', async () => {
    const disk = new CrashDisk();
    const { run, entry, camera } = await cameraWith({}, disk);
    await run(begin, append(500), append(500), wait(1500));
    const path = fileOf(entry(0), '000000.72.records');
    const whole = (await disk.stat(path))?.bytes ?? 0;
    await (await disk.open(path, 'write'))?.truncate(whole - 1);
    const { spool } = await openSpool(disk, DIR);
    expect((await disk.stat(path))?.bytes).toBe(128 + 525);
    camera.journal.entries[0]!.records.pop();
    expect(await faultsOf(spool, camera.journal, 'SIGKILL')).toEqual([]);
  });

  test('of two files of a segment the one that reaches farther stays', async () => {
    const disk = new CrashDisk({ ignore: (name) => name === 'unlink' });
    const { run, entry, camera } = await cameraWith({}, disk);
    await run(begin, append(500), append(500), wait(1500), append(500));
    await run({ do: 'acknowledge', segment: 0, records: 3 }, append(500), wait(1500));
    const newer = `000000.${entry(0).records[2]!.end}.records`;
    const both = disk.state.reboot('killed');
    expect(await both.list(fileOf(entry(0), ''))).toEqual([newer, '000000.72.records', 'session']);
    const { spool } = await openSpool(both, DIR);
    expect(await both.list(fileOf(entry(0), ''))).toEqual([newer, 'session']);
    expect(await faultsOf(spool, camera.journal, 'SIGKILL')).toEqual([]);
  });

  test('what SIGKILL left unsynced is made durable', async () => {
    const disk = new CrashDisk();
    const { run, camera } = await cameraWith({}, disk);
    await run(begin, append(500), append(500), wait(2000));
    const next = disk.state.reboot('killed');
    await openSpool(next, DIR);
    const { spool } = await openSpool(next.state.reboot('power cut'), DIR);
    expect(await faultsOf(spool, camera.journal, 'SIGKILL')).toEqual([]);
  });
});

test('the chain of sessions survives, whether they ended cleanly or not', async () => {
  const disk = new CrashDisk();
  const first = await openSpool(disk, DIR);
  expect(first.spool.lastSession()).toBeUndefined();
  const session = makeSession(41);
  await first.spool.beginSession(session.header, session);
  const killed = await openSpool(disk.state.reboot('power cut'), DIR);
  expect(killed.spool.lastSession()).toEqual({ session, end: undefined });
  const digest = primitives.sha256(Uint8Array.of(1));
  await first.spool.endSession(3, digest);
  const ended = await openSpool(disk.state.reboot('power cut'), DIR);
  expect(ended.spool.lastSession()).toEqual({ session, end: { segments: 3, digest } });
});

test('should the last session be unreadable, the newest on the disk keeps its number', async () => {
  const disk = new CrashDisk();
  const { run, spool } = await cameraWith({}, disk);
  await run({ do: 'begin session', number: 6 }, begin, append(100));
  await spool.close();
  await (await disk.open(`${DIR}/last-session`, 'write'))?.truncate(20);
  const { spool: next } = await openSpool(disk, DIR);
  expect(next.lastSession()).toMatchObject({ session: { number: 6 }, end: undefined });
  const unfit = failingDisk(disk, (operation, path) =>
    operation === 'open' && path === `${DIR}/last-session` ? new HostError('FILE_UNFIT', path) : undefined,
  );
  const { spool: third } = await openSpool(unfit, DIR);
  expect(third.lastSession()).toMatchObject({ session: { number: 6 }, end: undefined });
});

describe('bounds', () => {
  test('with the server away the oldest give way, and leave tombstones that outlive the process [TM-06]', async () => {
    const disk = new CrashDisk();
    const { run, spool, camera, entry } = await cameraWith({ maxBytes: 20_000 }, disk);
    let most = 0;
    for (let i = 0; i < 30; i++) {
      await run(begin, append(400), append(400), wait(2000), append(400), close);
      most = Math.max(most, disk.bytes);
    }
    expect(most).toBeLessThanOrEqual(20_000);
    expect(most).toBeGreaterThan(12_000);
    const states = spool.segments().map(({ state }) => state);
    const count = states.lastIndexOf('dropped') + 1;
    expect(count).toBeGreaterThan(15);
    expect(states).toEqual([...Array(count).fill('dropped'), ...Array(30 - count).fill('ended')]);
    expect(spool.stats()).toMatchObject({ droppedSegments: count, droppedUs: count * 400_000 });
    const dropped = new Set(camera.journal.entries.slice(0, count));
    expect(await faultsOf(spool, camera.journal, 'SIGKILL', dropped, dropped)).toEqual([]);

    const { spool: next } = await openSpool(disk.state.reboot('power cut'), DIR);
    expect(await faultsOf(next, camera.journal, 'SIGKILL', dropped, dropped)).toEqual([]);
    const found = find(next, entry(0));
    expect(found).toMatchObject({ base: 0, end: 72, droppedUs: 400_000, vouched: { records: 0 } });
    expect(Buffer.from(await next.read(found!, 0, 10_000)).equals(entry(0).made.header)).toBe(true);
    expect(next.stats()).toMatchObject({ droppedSegments: count, droppedUs: count * 400_000 });
    await drain(next, camera.journal);
    await next.close();
  });

  test('settling one dropped segment leaves the tombstones of the others', async () => {
    const disk = new CrashDisk();
    const { run, spool, camera, handle } = await cameraWith({ maxBytes: 13_000 }, disk);
    for (let i = 0; i < 8; i++) await run(begin, append(400), append(400), wait(2000), append(400), close);
    const count = spool.stats().droppedSegments;
    expect(count).toBeGreaterThan(2);
    spool.settle(handle(0));
    camera.journal.entries[0]!.settled = true;
    await run(wait(500));
    const others = new Set(camera.journal.entries.slice(1, count));
    const { spool: next } = await openSpool(disk.state.reboot('killed'), DIR);
    expect(
      await faultsOf(
        next,
        camera.journal,
        'SIGKILL',
        new Set(camera.journal.entries.slice(0, count)),
        others,
      ),
    ).toEqual([]);
  });

  test('what was acknowledged before a drop stays acknowledged, and is vouched for', async () => {
    const { run, handle, entry, spool } = await cameraWith({ maxBytes: 12_500 });
    await run(begin, append(400), append(400), append(400), wait(2000), {
      do: 'acknowledge',
      segment: 0,
      records: 2,
    });
    await run(close);
    for (let i = 0; i < 6; i++) await run(begin, append(400), append(400), wait(2000), append(400), close);
    const { end, record } = entry(0).records[1]!;
    expect(handle(0)).toMatchObject({ state: 'dropped', base: end, end, droppedUs: 200_000 });
    expect(handle(0).vouched).toMatchObject({ records: 2, digest: record.digest });
    expect(faultsOfAccount(spool)).toEqual([]);
  });

  test('free space below the minimum is never used up, whoever took it', async () => {
    const disk = new CrashDisk({ capacity: 60_000 });
    const { run } = await cameraWith({ minFreeBytes: 30_000 }, disk);
    for (let i = 0; i < 40; i++) {
      await run(begin, append(400), append(400), wait(2000), append(400), close);
      expect(await disk.freeBytes('/')).toBeGreaterThanOrEqual(30_000);
    }
    disk.place('/somebody-else', new Uint8Array(20_000));
    for (let i = 0; i < 5; i++) await run(begin, append(400), append(400), wait(2000), close);
    expect(await disk.freeBytes('/')).toBeGreaterThanOrEqual(30_000);
  });

  test('memory is bounded while the disk is too slow; an open segment given up shows when it ends', async () => {
    const { camera, spool, handle, clock } = await cameraWith({ maxMemoryBytes: 5000 });
    await camera.do(begin);
    for (let i = 0; i < 20; i++) {
      await camera.do(append(400));
      expect(spool.stats().memoryBytes).toBeLessThanOrEqual(5000);
    }
    expect(handle(0).state).toBe('open');
    expect((await spool.read(handle(0), 72, 1000)).length).toBe(0);
    await camera.do(close);
    expect(handle(0)).toMatchObject({ state: 'dropped', end: 72, droppedUs: 19 * 200_000 });
    expect(faultsOfAccount(spool)).toEqual([]);
    clock.advance(250);
  });

  test('more tombstones than allowed: the oldest are forgotten, not the counts', async () => {
    const { run, spool, disk, camera } = await cameraWith({ maxBytes: 13_000, maxTombstones: 5 });
    for (let i = 0; i < 20; i++) await run(begin, append(400), append(400), wait(2000), append(400), close);
    const states = spool.segments().map(({ state }) => state);
    expect(states.filter((state) => state === 'dropped')).toHaveLength(5);
    const { droppedSegments, forgottenTombstones } = spool.stats();
    expect(forgottenTombstones).toBe(droppedSegments - 5);
    expect(faultsOfAccount(spool)).toEqual([]);
    await drain(spool, camera.journal);
    expect((await disk.list(DIR))?.length).toBeLessThanOrEqual(3);
  });

  test('tombstones, too, stay within the bound', async () => {
    const { run, spool, disk } = await cameraWith({ maxBytes: 10_500, maxMemoryBytes: 3000 });
    for (let i = 0; i < 120; i++) {
      await run(begin, append(400), append(400), wait(1500), close);
      expect(disk.bytes).toBeLessThanOrEqual(10_500);
    }
    expect(spool.stats().droppedSegments).toBeGreaterThan(100);
    expect(faultsOfAccount(spool)).toEqual([]);
  });

  test('a spool opened with lower limits shrinks', async () => {
    const disk = new CrashDisk();
    const { run, spool } = await cameraWith({}, disk);
    for (let i = 0; i < 20; i++) await run(begin, append(400), append(400), wait(2000), close);
    await spool.close();
    expect(disk.bytes).toBeGreaterThan(15_000);
    const next = await openSpool(disk, DIR, { limits: { ...LIMITS, maxBytes: 15_000 } });
    await next.spool.flush();
    expect(disk.bytes).toBeLessThanOrEqual(15_000);
    expect(next.spool.segments()).toHaveLength(20);
    expect(faultsOfAccount(next.spool)).toEqual([]);
  });
});
