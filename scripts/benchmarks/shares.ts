import { median } from './measurement.ts';
import type { ProcessUse } from './processes.ts';

/** The processes as they were seen at one moment. */
export interface Sight {
  /** Since the start of the first process, s. */
  readonly at: number;
  readonly tree: readonly ProcessUse[];
}

export type Role = 'launcher' | 'agent' | 'capture' | 'ffmpeg' | 'snapshot worker' | 'other';

/** What one role took between two moments. */
export interface Share {
  readonly role: Role;
  /** CPU time a minute, ms. */
  readonly cpuMs: number;
  /** Median of what its processes had in each sight, bytes; of a snapshot worker the greatest. */
  readonly residentBytes: number;
  readonly privateBytes: number;
}

const WORDS: readonly (readonly [string, Role])[] = [
  [' camera snapshot', 'snapshot worker'],
  [' camera agent ', 'agent'],
  [' camera capture ', 'capture'],
  [' camera run ', 'launcher'],
  ['ffmpeg ', 'ffmpeg'],
];

/** The role of each process of a tree: all that a snapshot worker starts belongs to it. */
export function rolesOf(tree: readonly ProcessUse[]): Map<number, Role> {
  const roles = new Map<number, Role>();
  // A parent stands before its children.
  for (const { pid, parent, command } of tree) {
    const own = WORDS.find(([word]) => command.includes(word))?.[1] ?? 'other';
    roles.set(pid, roles.get(parent) === 'snapshot worker' ? 'snapshot worker' : own);
  }
  return roles;
}

/**
 * The shares between the first sight and the last, in the order of the roles' first processes. Of capture's children those that have
 * ended are snapshot workers: its ffmpeg goes on.
 * @throws Error for fewer than two sights.
 */
export function sharesOf(sights: readonly Sight[]): Share[] {
  const [first, last] = [sights[0], sights.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) {
    throw new Error('shares need two sights');
  }
  const minutes = (last.at - first.at) / 60;
  const [before, after] = [cpuByRole(first.tree), cpuByRole(last.tree)];
  const memory = sights.map(({ tree }) => memoryByRole(tree));
  const roles = [
    ...new Set(sights.flatMap(({ tree }) => [...rolesOf(tree).values()])),
    'snapshot worker' as const,
  ];
  return [...new Set(roles)].map((role) => {
    const of = (field: 'residentBytes' | 'privateBytes') => {
      const seen = memory.map((each) => each.get(role)?.[field] ?? 0);
      return role === 'snapshot worker' ? Math.max(...seen) : median(seen);
    };
    return {
      role,
      cpuMs: ((after.get(role) ?? 0) - (before.get(role) ?? 0)) / minutes,
      residentBytes: of('residentBytes'),
      privateBytes: of('privateBytes'),
    };
  });
}

function cpuByRole(tree: readonly ProcessUse[]): Map<Role, number> {
  const roles = rolesOf(tree);
  const sums = new Map<Role, number>();
  const add = (role: Role, ms: number) => sums.set(role, (sums.get(role) ?? 0) + ms);
  for (const { pid, ownCpuMs, childrenCpuMs } of tree) {
    const role = roles.get(pid) ?? 'other';
    add(role, ownCpuMs);
    add(role === 'capture' ? 'snapshot worker' : role, childrenCpuMs);
  }
  return sums;
}

function memoryByRole(tree: readonly ProcessUse[]) {
  const roles = rolesOf(tree);
  const sums = new Map<Role, { residentBytes: number; privateBytes: number }>();
  for (const { pid, residentBytes, privateBytes } of tree) {
    const role = roles.get(pid) ?? 'other';
    const sum = sums.get(role) ?? { residentBytes: 0, privateBytes: 0 };
    sum.residentBytes += residentBytes;
    sum.privateBytes += privateBytes;
    sums.set(role, sum);
  }
  return sums;
}
