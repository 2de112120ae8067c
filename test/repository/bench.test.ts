import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type Budget,
  type Measurement,
  median,
  percentile,
  ratioOf,
  verdictOf,
} from '../../scripts/benchmarks/measurement.ts';
import {
  childrenTimesMs,
  type ProcessUse,
  parentAndCpu,
  startMetered,
} from '../../scripts/benchmarks/processes.ts';
import { sharesOf } from '../../scripts/benchmarks/shares.ts';
import { table } from '../../scripts/benchmarks/table.ts';
import { exitOf } from '../exit-of.ts';

const root = resolve(import.meta.dirname, '../..');
const run = (script: string, ...args: string[]) =>
  spawnSync(resolve(root, script), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

describe.each(['scripts/bench', 'scripts/build'])('%s', (script) => {
  test('--help explains it', () => {
    const { status, stdout } = run(script, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^usage: ${script}`));
  });

  test('refuses what it does not know', () => {
    const { status, stdout, stderr } = run(script, '--everything');
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^usage: /);
  });
});

test.each([[['--only']], [['--only', 'everything']], [['sealing']]])('scripts/bench refuses %j', (args) => {
  expect(run('scripts/bench', ...args)).toMatchObject({ status: 2, stdout: '' });
});

test('the bundle runs as the sources do, wherever it lies', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'oriel-bundle-'));
  try {
    expect(run('scripts/build', join(scratch, 'dist'))).toMatchObject({ status: 0, stderr: '' });
    const oriel = (...args: string[]) =>
      spawnSync(process.execPath, [join(scratch, 'dist/oriel.mjs'), ...args], {
        encoding: 'utf8',
        cwd: scratch,
      });
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(oriel('--version')).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(oriel('keys', 'new', 'owner.key')).toMatchObject({ status: 0, stderr: '' });
    expect(oriel('server', 'init', 'house', '--host', '127.0.0.1')).toMatchObject({ status: 0, stderr: '' });

    const args = [join(scratch, 'dist/oriel.mjs'), 'server', 'run', 'house', '--port', '0', '--json-log'];
    const server = spawn(process.execPath, args, { cwd: scratch, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(server.stdout, 'data');
    expect(JSON.parse(String(line))).toMatchObject({ msg: 'listening' });
    server.kill('SIGTERM');
    expect(await exitOf(server)).toEqual([0, null]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

const atMost = (of: Budget['of'], limit: number): Budget => ({ of, bound: 'at most', limit });
const atLeast = (of: Budget['of'], limit: number): Budget => ({ of, bound: 'at least', limit });
const measured = (value: number, peer?: number, budget?: Budget): Measurement => ({
  name: 'one',
  what: 'one thing',
  unit: 's',
  value,
  ...(peer !== undefined && { peer: { what: 'another', value: peer } }),
  ...(budget && { budget }),
});

test.each([
  [measured(5), undefined],
  [measured(5, 10), undefined],
  [measured(10, 10, atMost('ratio', 1)), 'within'],
  [measured(10.1, 10, atMost('ratio', 1)), 'over'],
  [measured(3, 10, atLeast('ratio', 0.3)), 'within'],
  [measured(2.9, 10, atLeast('ratio', 0.3)), 'over'],
  [measured(100, undefined, atMost('value', 100)), 'within'],
  [measured(101, 1000, atMost('value', 100)), 'over'],
  [measured(1, undefined, atMost('ratio', 1)), 'over'],
  [measured(Number.NaN, undefined, atMost('value', 100)), 'over'],
  [measured(Number.NaN, undefined, atLeast('value', 100)), 'over'],
])('the verdict on %j is %s', (measurement, verdict) => {
  expect(verdictOf(measurement)).toBe(verdict);
});

test('a ratio needs a peer', () => {
  expect(ratioOf(measured(5, 10))).toBe(0.5);
  expect(ratioOf(measured(5))).toBeUndefined();
});

test.each([
  [[], Number.NaN],
  [[3], 3],
  [[9, 1], 5],
  [[9, 1, 2], 2],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

test('percentiles are by nearest rank', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  expect([0.5, 0.95, 0.99, 1].map((share) => percentile(values, share))).toEqual([100, 190, 198, 200]);
  expect(percentile([], 0.5)).toBeNaN();
});

test('the table shows value, peer, ratio, budget and verdict', () => {
  const lines = table([measured(0.5, 10, atMost('ratio', 1)), measured(1234)]).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatch(/^one thing +0\.500 s +10\.0 s {2}another +0\.05 +at most 1 +within$/);
  expect(lines[3]).toMatch(/^one thing +1234 s$/);
});

test('what times(1) prints is read, and nothing else', () => {
  expect(childrenTimesMs('0m0.00s 0m0.00s\n1m2.50s 0m0.25s\n')).toBe(62_750);
  expect(() => childrenTimesMs('')).toThrow(/times/);
});

test("a metered command's time counts its children's, and a failure is no measurement", async () => {
  const burn = 'while (process.cpuUsage().user < 200_000);';
  const child = `require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(burn)}])`;
  await expect(startMetered([process.execPath, '-e', child]).cpuMs).resolves.toBeGreaterThanOrEqual(200);
  await expect(startMetered(['sh', '-c', 'echo no such thing >&2; exit 3']).cpuMs).rejects.toThrow(
    /ended with 3: no such thing/,
  );
});

test('a process tree holds what a process started', async () => {
  const metered = startMetered(['sh', '-c', 'sleep 600; true']);
  let tree = metered.tree();
  // Between fork and exec a child is still its parent, or nothing.
  while (tree[1]?.command.trim() !== 'sleep 600') {
    await new Promise((wait) => setTimeout(wait, 5));
    tree = metered.tree();
  }
  expect(tree.map(({ command }) => command.trim())).toEqual(['sh -c sleep 600; true', 'sleep 600']);
  for (const { residentBytes, proportionalBytes, peakBytes } of tree) {
    expect(proportionalBytes).toBeGreaterThan(0);
    expect(residentBytes).toBeGreaterThanOrEqual(proportionalBytes);
    expect(peakBytes).toBeGreaterThanOrEqual(residentBytes / 2);
  }
  process.kill(tree[1].pid, 'SIGTERM');
  await metered.cpuMs;
});

test("parent and times are read from /proc/PID/stat, whatever the program's name", () => {
  const stat = '42 (a) R 7 (b) S 41 42 42 0 -1 4194304 1 0 0 0 100 20 30 4 20 0 10';
  expect(parentAndCpu(stat)).toEqual({ parent: 41, ownCpuMs: 1200, childrenCpuMs: 340 });
});

const MIB = 2 ** 20;
/** @param cpu its own and its ended children's, ms. */
const used = (
  pid: number,
  parent: number,
  command: string,
  [ownCpuMs, childrenCpuMs]: readonly [number, number],
  privateMib: number,
): ProcessUse => ({
  ...{ pid, parent, command, ownCpuMs, childrenCpuMs, privateBytes: privateMib * MIB },
  ...{ residentBytes: 2 * privateMib * MIB, proportionalBytes: 0, peakBytes: 0 },
});

test("a role's share is what its processes took, and a snapshot's is told apart, ended or under way", () => {
  const line = (cpu: readonly number[], children: number, agentMib: number) => [
    used(1, 0, 'node oriel.mjs camera run ./cam', [cpu[0] ?? 0, 0], 20),
    used(2, 1, 'node oriel.mjs camera capture ./cam', [cpu[1] ?? 0, children], 20),
    used(3, 2, 'ffmpeg -i clip.mp4', [cpu[2] ?? 0, 0], 10),
    used(4, 1, 'node oriel.mjs camera agent ./cam', [cpu[3] ?? 0, 0], agentMib),
  ];
  const worker = used(5, 2, 'node oriel.mjs camera snapshot', [70, 0], 30);
  const decoder = used(6, 5, 'ffmpeg -i pipe:0', [30, 0], 40);
  const shares = sharesOf([
    { at: 20, tree: line([5, 10, 100, 200], 400, 30) },
    { at: 40, tree: line([5, 20, 150, 300], 900, 50) },
    { at: 50, tree: [...line([5, 25, 200, 500], 900, 40), worker, decoder] },
  ]);
  expect(shares.map(({ role, cpuMs, privateBytes }) => [role, cpuMs, privateBytes / MIB])).toEqual([
    ['launcher', 0, 20],
    ['capture', 30, 20],
    ['ffmpeg', 200, 10],
    ['agent', 600, 40],
    ['snapshot worker', 1200, 70],
  ]);
  expect(shares.every(({ residentBytes, privateBytes }) => residentBytes === 2 * privateBytes)).toBe(true);
  expect(() => sharesOf([{ at: 20, tree: [] }])).toThrow(/two sights/);
});
