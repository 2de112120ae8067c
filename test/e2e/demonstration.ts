import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { family, type Process, stillRunning } from './processes.ts';

const ORDINARY = fileURLToPath(new URL('../..', import.meta.url));
const LOOK_INTERVAL_MS = 200;

/** The object in the last line of `scripts/demo --headless`. */
export interface DemoSummary {
  readonly cameraId: string;
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  readonly capturedSeconds: number;
  readonly openedSeconds: number;
  readonly lostSeconds: number;
  /** Of a file that was to be filmed whole. */
  readonly inputSeconds?: number;
}

export interface DemoEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of its processes, those that outlived it. */
  readonly left: readonly Process[];
}

export interface Demo {
  readonly child: ChildProcess;
  readonly end: Promise<DemoEnd>;
}

/** Starts `scripts/demo` as a process group of its own, as a shell does, and keeps an eye on all it starts. */
export function startDemo(...args: readonly string[]): Demo {
  return startDemoOf(ORDINARY, ...args);
}

/** The same of another build, given by its directory. */
export function startDemoOf(root: string, ...args: readonly string[]): Demo {
  const child = spawn(join(root, 'scripts/demo'), args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk) => stdout.push(chunk));
  child.stderr.on('data', (chunk) => stderr.push(chunk));
  const seen = new Map<string, Process>();
  const look = setInterval(() => {
    for (const process of family(child.pid ?? 0)) seen.set(`${process.pid} ${process.startTime}`, process);
  }, LOOK_INTERVAL_MS);
  const end = once(child, 'close').then(([code]) => {
    clearInterval(look);
    const left = stillRunning([...seen.values()]);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), left };
  });
  return { child, end };
}

/** The last line, read. */
export function summaryOf({ stdout }: DemoEnd): DemoSummary {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

/** Films a file, opens what was kept with the command in its README, and gives summary and movie. */
export async function filmed<T>(
  args: readonly string[],
  look: (result: { summary: DemoSummary; movie: string; kept: string }) => T | Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-demo-test-'));
  try {
    const kept = join(directory, "where it's kept");
    const end = await startDemo('--headless', '--keep', kept, ...args).end;
    expect(end).toMatchObject({ code: 0, left: [] });
    const movie = await openAsReadmeSays(kept, directory);
    return await look({ summary: summaryOf(end), movie, kept });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function openAsReadmeSays(kept: string, directory: string): Promise<string> {
  const readme = readFileSync(join(kept, 'README'), 'utf8');
  const command = /^ +(\S.* footage open .*)$/m.exec(readme)?.[1] ?? '';
  const child = spawn('/bin/sh', ['-c', command], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk) => said.push(chunk));
  const [code] = await once(child, 'close');
  expect({ code, said: Buffer.concat(said).toString() }).toEqual({ code: 0, said: '' });
  return join(directory, 'footage.mp4');
}
