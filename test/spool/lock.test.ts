import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDirectory, type Owner } from '../../agent/spool/lock.ts';
import { Spool } from '../../agent/spool/spool.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { isProcessRunning, ownProcessName } from '../../host/process-name.ts';
import { primitives } from './footage.ts';

const dir = mkdtempSync(join(tmpdir(), 'oriel-lock-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(() => {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
});

const quiet = () => undefined;
const open = (where = dir) =>
  Spool.open({
    dir: where,
    disk: systemDisk,
    clock: systemClock,
    primitives,
    log: { info: quiet, warn: quiet, error: quiet },
  });

test('a spool has one owner at a time, within a process too', async () => {
  const first = await open();
  await expect(open()).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
  await first.close();
  await (await open()).close();
});

test('another running process is told from a dead one, and from another with its pid', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const own = await ownProcessName(systemDisk);
  expect(await isProcessRunning(systemDisk, own)).toBe(true);
  const [boot] = own.split('-');
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const name = `${boot}-${child.pid}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;

  writeFileSync(join(dir, `lock-${name}`), '');
  await expect(open()).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
  expect(readdirSync(dir)).toEqual([`lock-${name}`]);

  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await isProcessRunning(systemDisk, name)).toBe(false);
  await (await open()).close();
});

test('a claim beside another one is possible by name, takes nothing from it, and keeps third ones out', async () => {
  const isRunning = async () => true;
  const first = await lockDirectory(systemDisk, dir, { name: 'launcher', isRunning });
  await lockDirectory(systemDisk, dir, { name: 'agent', isRunning, beside: 'launcher' });
  expect(readdirSync(dir).sort()).toEqual(['lock-agent', 'lock-launcher']);
  const third = () => lockDirectory(systemDisk, dir, { name: 'third', isRunning, beside: 'launcher' });
  await expect(third()).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
  await first();
  await expect(third()).rejects.toMatchObject({ code: 'SPOOL_LOCKED' });
  expect(readdirSync(dir)).toEqual(['lock-agent']);
});

test.each([
  ['of another start of the machine', (own: string) => own.replace(/^[0-9a-f]{4}/, '0000')],
  ['of an earlier process with this pid', (own: string) => own.replace(/\d+$/, '1')],
  ['that nobody can read', () => 'rubbish'],
])('a claim %s does not block', async (_, alter) => {
  const stale = alter(await ownProcessName(systemDisk));
  expect(await isProcessRunning(systemDisk, stale)).toBe(false);
  writeFileSync(join(dir, `lock-${stale}`), '');
  const spool = await open();
  expect(readdirSync(dir)).toEqual([`lock-${await ownProcessName(systemDisk)}`]);
  await spool.close();
});

test('of many that claim at once at most one goes on', async () => {
  for (let round = 0; round < 20; round++) {
    const owners = Array.from(
      { length: 5 },
      (_, i): Owner => ({ name: `r${round}-${i}`, isRunning: async () => true }),
    );
    const claims = await Promise.allSettled(owners.map((owner) => lockDirectory(systemDisk, dir, owner)));
    const won = claims.filter(({ status }) => status === 'fulfilled');
    expect(won.length).toBeLessThanOrEqual(1);
    for (const claim of claims) if (claim.status === 'fulfilled') await claim.value();
    expect(readdirSync(dir)).toEqual([]);
  }
});
