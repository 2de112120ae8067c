import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { collect } from '../../host/child.ts';
import { readOpenPorts } from '../../host/open-ports.ts';
import { familyOf, type ProcessView, readProcesses } from '../../host/processes.ts';
import type { Facts, MachineFacts, PortFacts, RoleFacts, SwapArea } from './facts.ts';

/** Gathers what there is to know of the machine and of a camera's processes, from the kernel's own tables. */

/** Where the kernel's and the machine's files are. */
export interface Roots {
  readonly proc: string;
  readonly sys: string;
  readonly etc: string;
}

export const ROOTS: Roots = { proc: '/proc', sys: '/sys', etc: '/etc' };

/** @param agentPid of a running agent. */
export function machineOf(
  roots: Roots,
  agentPid: number | undefined,
): {
  readonly machine: MachineFacts;
  readonly roles: readonly RoleFacts[];
} {
  const processes = readProcesses(roots.proc);
  const agent = processes.find(({ pid, command }) => pid === agentPid && does(command, 'agent'));
  const launcher = processes.find(({ pid, command }) => pid === agent?.parent && does(command, 'run'));
  const root = launcher ?? agent;
  const family = root === undefined ? [] : familyOf(processes, root.pid);
  const limits = (family.length > 0 ? family : processes.filter(({ pid }) => pid === process.pid)).map(
    ({ coreLimit }) => coreLimit ?? 0,
  );
  return {
    machine: {
      swap: swapAreas(roots),
      swapForbidden: agent !== undefined && neverSwapped(roots, agent.pid),
      corePattern: textOf(join(roots.proc, 'sys/kernel/core_pattern'))?.trim(),
      coreLimit: limits.length === 0 ? undefined : Math.max(...limits),
      ports: portsOf(roots, agent?.pid, family, processes),
    },
    roles: family.flatMap(roleOf),
  };
}

const does = (command: readonly string[], verb: string) =>
  command.some((word, at) => word === 'camera' && command[at + 1] === verb);

function roleOf({ pid, command, uid, gids, environment }: ProcessView): RoleFacts[] {
  const verbs = { run: 'launcher', agent: 'agent', capture: 'capture' } as const;
  for (const [verb, role] of Object.entries(verbs)) {
    // Below a launcher util-linux's programs stand in for a role until they become it.
    if (does(command, verb) && /^node/.test(basename(command[0] ?? ''))) {
      return [{ pid, role, uid, gids, command, environment }];
    }
  }
  return [];
}

function swapAreas({ proc, sys }: Roots): SwapArea[] | undefined {
  const [, ...lines] = textOf(join(proc, 'swaps'))?.trim().split('\n') ?? [];
  if (textOf(join(proc, 'swaps')) === undefined) return undefined;
  return lines.map((line) => {
    const name = line.split(/\s/)[0] ?? '';
    const mapping = textOf(join(sys, 'block', basename(name), 'dm/uuid')) ?? '';
    return { name, safe: /^\/dev\/zram\d+$/.test(name) || mapping.startsWith('CRYPT-') };
  });
}

/** By its control group, of the second version. */
function neverSwapped({ proc, sys }: Roots, pid: number): boolean {
  const group = /^0::(\/.*)$/m.exec(textOf(join(proc, String(pid), 'cgroup')) ?? '')?.[1];
  return group !== undefined && textOf(join(sys, 'fs/cgroup', group, 'memory.swap.max'))?.trim() === '0';
}

function portsOf(
  { proc }: Roots,
  agentPid: number | undefined,
  family: readonly ProcessView[],
  processes: readonly ProcessView[],
): PortFacts[] {
  const net = join(proc, agentPid === undefined ? 'self' : String(agentPid), 'net');
  return readOpenPorts(net).map((port) => {
    const holds = ({ sockets }: ProcessView) => sockets?.has(port.inode) === true;
    const holder = processes.find(holds);
    return { ...port, process: holder && `${holder.name}, pid ${holder.pid}`, ours: family.some(holds) };
  });
}

/** The packet filter, which only root may look at. */
export async function firewallOf({ etc }: Roots): Promise<Facts['firewall']> {
  const units = join(etc, 'systemd/system');
  const unit = existsSync(join(units, 'oriel-camera.service'));
  const leftAlone = existsSync(join(units, 'oriel-camera-firewall.service.d/10-addresses-only.conf'));
  if (!unit || leftAlone || process.geteuid?.() !== 0) return { unit, leftAlone, present: undefined };
  const { code } = await collect('/usr/sbin/nft', ['list', 'table', 'inet', 'oriel'], {
    timeoutMs: 10_000,
    maxBytes: 1 << 20,
    signal: new AbortController().signal,
  });
  return { unit, leftAlone, present: code === 0 };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
