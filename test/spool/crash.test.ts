import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpoolLimits } from '../../agent/spool/limits.ts';
import type { SpooledSegment } from '../../agent/spool/spooled-segment.ts';
import { systemDisk } from '../../host/disk.ts';
import { type Crash, CrashDisk, type CrashDiskOptions, type CrashState } from '../faults/crash-disk.ts';
import { drain, endOf, faultsOf, faultsOfAccount, type Stop } from './checker.ts';
import { Camera, type Entry, type Journal } from './journal.ts';
import { advancer, openSpool } from './rig.ts';
import { WORKLOAD } from './workload.ts';

/** A moment before a call that changes the disk: what the disk would keep, and what had happened. */
interface Moment {
  readonly call: string;
  readonly state: CrashState;
  readonly torn: boolean;
  readonly journal: Journal;
  readonly dropped: ReadonlySet<number>;
  readonly buried: ReadonlySet<number>;
}

interface Broken {
  readonly ignore?: CrashDiskOptions['ignore'];
  readonly flusher?: 'off';
}

const ROOMY: SpoolLimits = {
  maxBytes: 2 ** 24,
  minFreeBytes: 0,
  maxMemoryBytes: 2 ** 22,
  maxTombstones: 1000,
};
/** Room for about three segments of the workload. */
const SMALL: SpoolLimits = { ...ROOMY, maxBytes: 13_500 };
const DIR = '/spool';

/** Runs the workload once, and keeps every moment at which it could have been stopped. */
async function momentsOf(limits: SpoolLimits, broken: Broken = {}): Promise<Moment[]> {
  const moments: Moment[] = [];
  let camera: Camera | undefined;
  const indexes = (is: (segment: SpooledSegment) => boolean) => {
    const found = [...(camera?.handles ?? [])].filter(([, segment]) => is(segment as SpooledSegment));
    return new Set(found.map(([entry]) => camera?.journal.entries.indexOf(entry) ?? -1));
  };
  const disk: CrashDisk = new CrashDisk({
    onCall({ name, path, states }) {
      if (camera === undefined) return;
      expect(disk.bytes).toBeLessThanOrEqual(limits.maxBytes);
      const journal = camera.journal.copy();
      const dropped = indexes((segment) => segment.tombstone !== undefined);
      const buried = indexes((segment) => segment.buried);
      for (const [index, state] of states.entries()) {
        moments.push({ call: `${name} ${path}`, state, torn: index > 0, journal, dropped, buried });
      }
    },
    ...(broken.ignore === undefined ? {} : { ignore: broken.ignore }),
  });
  const { spool, clock } = await openSpool(disk, DIR, { limits });
  const flush = broken.flusher === 'off' ? async () => undefined : () => spool.flush();
  camera = new Camera(spool, advancer(clock), flush);
  for (const step of WORKLOAD) {
    await camera.do(step);
    expect(faultsOfAccount(spool)).toEqual([]);
  }
  return moments;
}

const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'oriel-crash-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let runs = 0;

/** Stops at a moment, starts again on a real directory, and says what is wrong then. */
async function faultsAfter(moment: Moment, crash: Crash, stop: Stop): Promise<string[]> {
  const root = join(scratch, String(++runs));
  moment.state.materialise(crash, root);
  const { journal } = moment;
  const named = (indexes: ReadonlySet<number>) =>
    new Set<Entry>(journal.entries.filter((_, index) => indexes.has(index)));
  const { spool } = await openSpool(systemDisk, join(root, DIR), { limits: ROOMY });
  const faults = await faultsOf(spool, journal, stop, named(moment.dropped), named(moment.buried));
  const reached = await drain(spool, journal);
  for (const [entry, end] of reached) {
    if (end > Math.max(endOf(entry), entry.durable)) faults.push('the server got more than there was');
  }
  faults.push(...faultsOfAccount(spool));
  await spool.close();
  const left = ((await systemDisk.list(join(root, DIR))) ?? []).filter((name) => name !== 'last-session');
  if (left.length > 0) faults.push(`left over: ${left.join(', ')}`);
  rmSync(root, { recursive: true });
  return faults.map((fault) => `${crash} before ${moment.call}: ${fault}`);
}

/** Up to `enough` faults after stops at all these moments. */
async function collectFaults(
  moments: readonly Moment[],
  crashes: readonly [Crash, Stop][],
  enough: number,
): Promise<string[]> {
  const faults: string[] = [];
  for (const moment of moments) {
    for (const [crash, stop] of crashes) {
      if (faults.length >= enough) return faults;
      faults.push(...(await faultsAfter(moment, crash, stop)));
    }
  }
  return faults;
}

const KILLED: [Crash, Stop][] = [['killed', 'SIGKILL']];
const POWER: [Crash, Stop][] = [
  ['power cut', 'power cut'],
  [1, 'power cut'],
  [2, 'power cut'],
  [3, 'power cut'],
];

describe.each([
  ['with room', ROOMY, false],
  ['with little room', SMALL, true],
])('stopped before every call that changes the disk, %s', (_, limits, drops) => {
  test('by SIGKILL, at most the last two seconds are lost', async () => {
    const moments = await momentsOf(limits);
    expect(moments.length).toBeGreaterThan(120);
    expect(moments.some(({ buried }) => buried.size > 0)).toBe(drops);
    console.info(
      `${moments.length} points, ${moments.filter(({ torn }) => torn).length} of them within a write`,
    );
    expect(await collectFaults(moments, KILLED, 10)).toEqual([]);
  });

  test('by a power cut, at most one segment is lost', async () => {
    const moments = await momentsOf(limits);
    console.info(`${moments.length} points, ${POWER.length} outcomes each`);
    expect(await collectFaults(moments, POWER, 10)).toEqual([]);
  });
});

describe('a broken spool is found out', () => {
  test.each<[string, Broken, SpoolLimits, [Crash, Stop][]]>([
    ['nothing is written in time', { flusher: 'off' }, ROOMY, KILLED],
    ['files are not synced', { ignore: (name) => name === 'sync' }, ROOMY, POWER],
    ['directories are not synced', { ignore: (name) => name === 'sync directory' }, ROOMY, POWER],
    [
      'records files are not synced',
      { ignore: (name, path) => name === 'sync' && path.endsWith('.records') },
      ROOMY,
      POWER,
    ],
    [
      'the directory of a session is not synced',
      { ignore: (name, path) => name === 'sync directory' && path !== DIR },
      ROOMY,
      POWER,
    ],
    [
      'tombstones are not synced before the file goes',
      { ignore: (name, path) => name === 'sync' && path.endsWith('dropped') },
      SMALL,
      POWER,
    ],
    [
      'what is renamed was not synced',
      { ignore: (name, path) => name === 'sync' && path.endsWith('.tmp') },
      ROOMY,
      POWER,
    ],
    ['renames are lost', { ignore: (name) => name === 'rename' }, ROOMY, KILLED],
  ])('%s', async (_, broken, limits, crashes) => {
    expect(await collectFaults(await momentsOf(limits, broken), crashes, 1)).not.toEqual([]);
  });
});
