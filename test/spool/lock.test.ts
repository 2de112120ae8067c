import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Spool } from '../../agent/spool/spool.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { exitOf } from '../exit-of.ts';
import { primitives } from './footage.ts';

const dir = mkdtempSync(join(tmpdir(), 'oriel-lock-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const quiet = () => undefined;
const open = (dir_ = dir) =>
  Spool.open({
    dir: dir_,
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

test('[REM-SPOOL_LOCKED] a spool is free the moment the process that is said to hold it is killed', async () => {
  const module = fileURLToPath(new URL('../../agent/spool/spool-files.ts', import.meta.url));
  const script = `(await import(${JSON.stringify(module)})).lockSpool(${JSON.stringify(dir)});
    console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(createInterface({ input: child.stdout }), 'line');
  const { code, message } = await open().catch((error) => error);
  const [, path = '', command = ''] = /end the process that has (\S+) locked \((\w+)\)$/.exec(message) ?? [];
  expect(code).toBe('SPOOL_LOCKED');
  const locks = execFileSync(command, ['--noheadings', '--notruncate', '--output', 'PID,PATH'], {
    encoding: 'utf8',
  });
  const [, pid] = new RegExp(`^ *(\\d+) +${path}$`, 'm').exec(locks) ?? [];
  process.kill(Number(pid), 'SIGKILL');
  await exitOf(child);
  await (await open()).close();
});

describe('a spool without its lock', () => {
  const mounted = mkdtempSync(join(tmpdir(), 'oriel-lock-'));
  const spool = join(mounted, 'spool');
  const mount = (...options: string[]) => execFileSync('mount', options);
  beforeEach(() => mount('-t', 'tmpfs', '-o', 'size=16k', 'oriel-test', mounted));
  afterEach(() => execFileSync('umount', [mounted]));
  afterAll(() => rmSync(mounted, { recursive: true }));

  test.each<[string, () => void]>([
    ['read-only, the lock there already', () => mount('-o', 'remount,ro', mounted)],
    [
      'full, no lock made yet',
      () => {
        rmSync(join(spool, 'lock'));
        mount('-o', 'remount,nr_inodes=3', mounted);
        writeFileSync(join(mounted, 'more'), '');
      },
    ],
  ])('[FC-11] opens on a disk that is %s', async (_, spoil) => {
    await (await open(spool)).close();
    spoil();
    await (await open(spool)).close();
  });

  test('[FC-11] does not open where the disk could be written to, but the lock cannot be taken', async () => {
    mkdirSync(join(spool, 'lock'), { recursive: true });
    await expect(open(spool)).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});
