import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

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
