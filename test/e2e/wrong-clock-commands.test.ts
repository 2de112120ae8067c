import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';

/** Commands that make what lasts, as a person types them on a machine whose clock is wrong. */

const LIBRARY = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/faketime/libfaketime.so.1`;
const root = mkdtempSync(join(tmpdir(), 'oriel-clock-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string) => join(root, name);
const PIN = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;

function oriel(clock: string | undefined, args: readonly string[], command = ORIEL) {
  const turned =
    clock === undefined
      ? {}
      : { LD_PRELOAD: LIBRARY, FAKETIME: `@${clock} 00:10:00`, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  return new Promise<{ code: number; stderr: string }>((resolve) => {
    const env = { PATH: process.env.PATH ?? '', TZ: 'UTC', ...turned };
    execFile(command, args, { env }, (error, _stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stderr });
    });
  });
}

const init = (name: string) => ['server', 'init', at(name), '--host', 'home.example'];

test('[FC-12] are refused, leave nothing, and work once it is set [TM-25]', async () => {
  expect(await oriel(undefined, ['keys', 'new', at('me.key')])).toMatchObject({ code: 0 });
  const before = readFileSync(at('me.key'), 'utf8');
  const pair = [
    'keys',
    'pair',
    at('me.key'),
    '--server',
    'https://home.example',
    '--pin',
    PIN,
    '--out',
    at('code'),
  ];
  const makerKeys = ['release', 'keys', at('maker')];
  const refused = await Promise.all([
    oriel('1970-01-01', init('house')),
    oriel('2099-01-01', init('house')),
    oriel('1970-01-01', pair),
    oriel('2099-01-01', pair),
    oriel('1970-01-01', makerKeys),
  ]);
  for (const { code, stderr } of refused) {
    expect([code, /\[CLOCK_WRONG\]/.test(stderr), /timedatectl set-ntp true/.test(stderr)]).toEqual([
      1,
      true,
      true,
    ]);
  }
  expect([at('house'), at('code'), at('maker')].filter(existsSync)).toEqual([]);
  expect(readFileSync(at('me.key'), 'utf8')).toBe(before);
  const made = await Promise.all([init('house'), pair, makerKeys].map((args) => oriel(undefined, args)));
  expect(made.map(({ code }) => code)).toEqual([0, 0, 0]);
  const promote = await oriel('1970-01-01', ['server', 'ca', 'promote', at('house')]);
  expect([promote.code, /\[CLOCK_WRONG\]/.test(promote.stderr)]).toEqual([1, true]);
}, 120_000);

test('[FC-12] control: a build that believes any clock makes a CA that has ended long ago [TM-25]', async () => {
  const build = breakBuild({
    file: 'ota/release/present-time.ts',
    from: 'if (isPossibleTime(nowMs, releaseMs)) return nowMs;',
    to: 'if (releaseMs > 0) return nowMs;',
  });
  try {
    expect(await oriel('1970-01-01', init('old'), build.oriel)).toMatchObject({ code: 0 });
    const pem = readFileSync(join(at('old'), 'identity', 'server-ca.pem'), 'utf8');
    expect(new X509Certificate(pem).validToDate.getUTCFullYear()).toBe(2000);
  } finally {
    build.remove();
  }
}, 120_000);
