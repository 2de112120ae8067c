import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';

/** Node joins the threads of its pool as it exits: one that waits for a disk that does not answer would hold it up for good. */
const IN_THREAD_POOL = /^(FSReq|FileHandle|GetAddrInfo|GetNameInfo)/;

/** Ends this process now, whatever still goes on in it. */
export async function endNow(code: number): Promise<void> {
  // What has just answered counts as going on until its callback is over.
  await setImmediate();
  if (!process.getActiveResourcesInfo().some((name) => IN_THREAD_POOL.test(name))) process.exit(code);
  // The first process of a container takes no signal that it has no handler for, its own SIGKILL neither; it can abort.
  if (process.pid === 1) process.abort();
  process.kill(process.pid, 'SIGKILL');
}

/** Whether there is a process of that id, ours or another user's. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

/**
 * What a process keeps in memory, bytes, by the kernel's count (VmRSS of proc_pid_status(5)).
 * @returns undefined where that may not be seen, and for a process that is gone.
 */
export function residentBytes(pid: number): number | undefined {
  try {
    const [, kibibytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Bytecode that this many collections of garbage have not found used is given up (V8's `--bytecode-old-age`). */
const AGE_ONCE = 1;
const AGE_USUAL = 6;

/** By then a camera's process has started whatever it starts, ms. */
const STARTED_MS = 15_000;

/**
 * Has this process, which is to run for years, collect what its start has left behind, and give up bytecode that it used for
 * nothing else: V8 does by itself only what is needed to go on, and a process that hardly works needs nothing. Once, since
 * to compile again what is used now and then costs more than it saves.
 * @param collect what Node has under `--expose-gc`; without it nothing is collected early.
 */
export function keepMemorySmall(collect = globalThis.gc, startedMs = STARTED_MS): void {
  setTimeout(() => {
    // Of a flag that it does not know V8 says so on stderr, and goes on.
    setFlagsFromString(`--bytecode-old-age=${AGE_ONCE}`);
    // What the first one finds unused the second gives up, with the pages that are empty then.
    collect?.();
    collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    setFlagsFromString(`--bytecode-old-age=${AGE_USUAL}`);
  }, startedMs).unref();
}

/** A process as /proc shows it to whoever looks (proc(5)); undefined where that may not be seen. */
export interface ProcessView {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Effective. */
  readonly uid: number;
  readonly gids: readonly number[];
  readonly command: readonly string[];
  readonly environment: readonly string[] | undefined;
  /** Soft limit of core dumps, bytes; Infinity for none. */
  readonly coreLimit: number | undefined;
  /** Inodes of its sockets. */
  readonly sockets: ReadonlySet<string> | undefined;
}

/** Every process there is. @param proc /proc. */
export function readProcesses(proc: string): ProcessView[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(proc, Number(name)) ?? []);
}

/** Undefined when it is gone. */
export function readProcess(proc: string, pid: number): ProcessView | undefined {
  const file = (name: string) => attempt(() => readFileSync(join(proc, String(pid), name), 'utf8'));
  const status = file('status');
  if (status === undefined) return undefined;
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(Number);
  return {
    pid,
    parent: Number(field('PPid')),
    name: field('Name'),
    uid: numbers('Uid')[1] ?? -1,
    gids: [numbers('Gid')[1] ?? -1, ...numbers('Groups')],
    command: words(file('cmdline') ?? ''),
    environment: mapped(file('environ'), words),
    coreLimit: mapped(file('limits'), softCoreLimit),
    sockets: socketInodes(join(proc, String(pid), 'fd')),
  };
}

/** A process and all that descend from it. */
export function familyOf(processes: readonly ProcessView[], root: number): ProcessView[] {
  const family = processes.filter(({ pid }) => pid === root);
  for (const member of family) family.push(...processes.filter(({ parent }) => parent === member.pid));
  return family;
}

const words = (text: string) => text.split('\0').filter((word) => word !== '');

function softCoreLimit(limits: string): number | undefined {
  const soft = /^Max core file size\s+(\d+|unlimited)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function socketInodes(directory: string): Set<string> | undefined {
  const names = attempt(() => readdirSync(directory));
  if (names === undefined) return undefined;
  const inodes = names.map((name) => {
    const target = attempt(() => readlinkSync(join(directory, name))) ?? '';
    return /^socket:\[(\d+)\]$/.exec(target)?.[1];
  });
  return new Set(inodes.filter((inode) => inode !== undefined));
}

function mapped<A, B>(value: A | undefined, change: (value: A) => B): B | undefined {
  return value === undefined ? undefined : change(value);
}

/** What cannot be read, or is gone by now, is unknown. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
