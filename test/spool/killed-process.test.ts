import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemDisk } from '../../host/disk.ts';
import { CrashDisk } from '../faults/crash-disk.ts';
import { faultsOf, faultsOfAccount } from './checker.ts';
import { Camera, type Journal } from './journal.ts';
import { advancer, openSpool } from './rig.ts';
import { FINE_WORKLOAD } from './workload.ts';

const root = mkdtempSync(join(tmpdir(), 'oriel-killed-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let runs = 0;

/** What had happened when the workload's step `index` was under way: all but what had to be durable first. */
async function journalAt(index: number): Promise<Journal> {
  const { spool, clock } = await openSpool(new CrashDisk(), '/spool');
  const camera = new Camera(spool, advancer(clock));
  const lasting = FINE_WORKLOAD[index]?.do.endsWith(' session');
  for (const step of FINE_WORKLOAD.slice(0, lasting ? index : index + 1)) await camera.do(step);
  return camera.journal;
}

/** Runs the workload in a process that strace kills at its `nth` call of `call`; the step it had begun. */
async function runKilled(dir: string, call: string, nth: number): Promise<{ step: number; killed: boolean }> {
  const script = join(import.meta.dirname, 'camera-process.ts');
  const trace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`];
  const inject = ['-e', `inject=${call}:signal=KILL:when=${nth}`];
  const child = spawn('strace', [...trace, ...inject, process.execPath, script, dir], {
    // strace counts the calls of each thread.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const lines = said.trim().split('\n');
  const killed = lines.at(-1) !== 'done';
  if (killed && complaint !== '') throw new Error(complaint);
  return { step: Number(lines.findLast((line) => line !== 'done')), killed };
}

/** Up to the `last` such call that the workload makes, every `step`-th. */
const every = (step: number, last: number) =>
  Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step);
const CALLS: [string, number[]][] = [
  ['mkdir', every(1, 3)],
  ['rename', every(1, 5)],
  ['fsync', every(2, 14)],
  ['fdatasync', every(2, 11)],
  ['unlink', every(2, 13)],
  ['pwrite64', every(3, 39)],
];

test.each(CALLS)('a camera killed within %s loses at most the last two seconds', async (call, places) => {
  let kills = 0;
  const check = async (nth: number) => {
    const dir = join(root, String(++runs));
    const { step, killed } = await runKilled(dir, call, nth);
    if (killed) kills += 1;
    if (!existsSync(dir)) return [];
    const journal = await journalAt(step);
    const { spool } = await openSpool(systemDisk, dir);
    const faults = [...(await faultsOf(spool, journal, 'SIGKILL')), ...faultsOfAccount(spool)];
    await spool.close();
    return faults.map((fault) => `${call} ${nth}, step ${step}: ${fault}`);
  };
  const halves = [0, 1].map(async (half) => {
    const faults: string[] = [];
    for (const nth of places.filter((_, index) => index % 2 === half)) faults.push(...(await check(nth)));
    return faults;
  });
  expect((await Promise.all(halves)).flat()).toEqual([]);
  expect(kills).toBeGreaterThanOrEqual(places.length - 1);
});
