import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: what the kernel counts CPU time in for user space, on every architecture that Oriel runs on. */
const TICK_MS = 10;

export interface ProcessUse {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** CPU time, user and system, ms: its own, and that of the children it has waited for. */
  readonly ownCpuMs: number;
  readonly childrenCpuMs: number;
  /** Resident memory, bytes, and the part of it that no other process has. */
  readonly residentBytes: number;
  readonly privateBytes: number;
  /** Its share of memory: what n processes have in common counts as an nth. */
  readonly proportionalBytes: number;
  /** The most that was ever resident of the program that it runs now. */
  readonly peakBytes: number;
}

/** A process and all its descendants, each after its parent. Those that end while it is read are left out. */
export function processTree(root: number): ProcessUse[] {
  const use = processUse(root);
  return use === undefined ? [] : [use, ...childrenOf(root).flatMap(processTree)];
}

export const cpuOf = (tree: readonly ProcessUse[]) =>
  tree.reduce((sum, { ownCpuMs, childrenCpuMs }) => sum + ownCpuMs + childrenCpuMs, 0);

function processUse(pid: number): ProcessUse | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const bytes = (field: string, text = rollup) =>
      Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024;
    return {
      pid,
      command,
      ...parentAndCpu(readFileSync(`/proc/${pid}/stat`, 'latin1')),
      residentBytes: bytes('Rss'),
      privateBytes: bytes('Private_Clean') + bytes('Private_Dirty'),
      proportionalBytes: bytes('Pss'),
      peakBytes: bytes('VmHWM', status),
    };
  } catch {
    return undefined;
  }
}

/** proc_pid_stat(5): field 4 is the parent, 14 to 17 are utime, stime, cutime and cstime; field 2 may hold anything. */
export function parentAndCpu(stat: string): Pick<ProcessUse, 'parent' | 'ownCpuMs' | 'childrenCpuMs'> {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = Number.NaN] = fields.slice(1);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11);
  return {
    parent,
    ownCpuMs: (user + system) * TICK_MS,
    childrenCpuMs: (childrenUser + childrenSystem) * TICK_MS,
  };
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** A command under way, whose whole use of the CPU is known at its end. */
export interface Metered {
  readonly child: ChildProcess;
  /** The command and its descendants as they are now. */
  tree(): ProcessUse[];
  /** CPU time of the command and of every descendant that was waited for. @throws Error unless it exits with 0. */
  readonly cpuMs: Promise<number>;
}

/** Starts a command under a shell that reads its children's times when it ends. Its stderr is kept for errors. */
export function startMetered(command: readonly string[], options: { readonly cwd?: string } = {}): Metered {
  const child = spawn('sh', ['-c', '"$@"; code=$?; times; exit $code', 'sh', ...command], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [times, words] = ['', ''];
  child.stdout.on('data', (chunk) => {
    times = `${times}${chunk}`.slice(-1000);
  });
  child.stderr.on('data', (chunk) => {
    words = `${words}${chunk}`.slice(-2000);
  });
  const cpuMs = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(childrenTimesMs(times));
      else reject(new Error(`${command.slice(0, 4).join(' ')} … ended with ${code}: ${words.trim()}`));
    });
  });
  return { child, tree: () => childrenOf(child.pid ?? 0).flatMap(processTree), cpuMs };
}

/** The last line of times(1): user and system time of the shell's children, as in `0m1.250000s 0m0.310000s`. */
export function childrenTimesMs(text: string): number {
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  const times = [...last.matchAll(/(\d+)m([\d.]+)s/g)];
  if (times.length !== 2) throw new Error(`not what times(1) prints: ${last}`);
  return times.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000,
    0,
  );
}
