import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc shows it; a process id alone may be given to another later. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** In clock ticks since boot. */
  readonly startTime: string;
  readonly state: string;
  readonly command: string;
}

/** A process and all that descend from it, as they are now. */
export function family(pid: number): Process[] {
  const all = processes();
  const members = all.filter((process) => process.pid === pid);
  for (const member of members) members.push(...all.filter(({ parent }) => parent === member.pid));
  return members;
}

/** Those of these processes that still run; a dead one that nobody has asked after yet does not. */
export function stillRunning(members: readonly Process[]): Process[] {
  const all = processes();
  return members.filter(({ pid, startTime }) =>
    all.some((other) => other.pid === pid && other.startTime === startTime && other.state !== 'Z'),
  );
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [readProcess(Number(name))];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

/** The fields of proc_pid_stat(5); the second, in brackets, may itself hold brackets and spaces. */
function readProcess(pid: number): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  return { pid, parent: Number(fields[1]), startTime: fields[19] ?? '', state: fields[0] ?? '', command };
}
