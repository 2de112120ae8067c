import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { exitOf } from '../exit-of.ts';

/** Starts real processes that are killed at a call of theirs. */

/** Where to kill: before the call of that number, from 1, among those that match. */
export interface KillPoint {
  readonly at: number;
  readonly only?: string;
}

export interface Ran {
  /** Whether it was killed at the point. */
  readonly killed: boolean;
  readonly code: number | null;
  /** What it did to the volume, call by call; the last was not done if it was killed. */
  readonly calls: readonly string[];
  /** What it said, one line each. */
  readonly lines: readonly string[];
}

export interface Watched {
  /** Ends in the directory that is watched; its calls are noted without it. */
  readonly below: string;
  readonly point?: KillPoint | undefined;
  /** Command to run Node under, as a child of its own. */
  readonly under?: readonly string[] | undefined;
  /** Told of each line of JSON that it says; may end it. */
  readonly onLine?: (line: Said, stop: () => void) => void;
}

/** A line of a log; other fields are read by whoever knows them. */
export interface Said {
  readonly msg?: string;
  readonly slot?: string;
  readonly version?: string;
  readonly phase?: string;
}

const PRELOADED = join(import.meta.dirname, 'crash-point.ts');
const PATIENCE_MS = 240_000;

/** Runs a TypeScript program until it ends, by itself or by the kill. */
export async function runWatched(program: readonly string[], watched: Watched): Promise<Ran> {
  const notes = `${watched.below}.calls`;
  writeFileSync(notes, '');
  const flags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning', '--import', PRELOADED];
  const [command = '', ...args] = [...(watched.under ?? []), process.execPath, ...flags, ...program];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      KILL_BELOW: watched.below,
      KILL_NOTES: notes,
      KILL_AT: String(watched.point?.at ?? 0),
      KILL_ONLY: watched.point?.only ?? '',
    },
  });
  const lines: string[] = [];
  const stop = () => {
    if (child.pid !== undefined)
      process.kill(watched.under === undefined ? child.pid : childOf(child.pid), 'SIGTERM');
  };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      lines.push(line);
      watched.onLine?.(saidIn(line), stop);
    });
  }
  const [code, signal] = await exitOf(child);
  const calls = readFileSync(notes, 'utf8').split('\n').slice(0, -1);
  rmSync(notes);
  return { killed: signal === 'SIGKILL', code, calls, lines };
}

/** proc_pid_task(5). */
const childOf = (pid: number) =>
  Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'), 10);

function saidIn(line: string): Said {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
