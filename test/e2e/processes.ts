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
  return members.flatMap(whileItRuns((member) => ({ ...member, command: commandOf(member.pid) })));
}

/** Those of these processes that still run; a dead one that nobody has asked after yet does not. */
export function stillRunning(members: readonly Process[]): Process[] {
  const all = new Map(processes().map((process) => [process.pid, process]));
  return members.filter(({ pid, startTime }) => {
    const now = all.get(pid);
    return now?.startTime === startTime && now.state !== 'Z';
  });
}

/** Whether a process runs now. */
export const isRunning = (pid: number): boolean =>
  [pid].flatMap(whileItRuns(readProcess)).some(({ state }) => state !== 'Z');

function processes(): Omit<Process, 'command'>[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(whileItRuns((name) => readProcess(Number(name))));
}

/** It may end while we look. */
const whileItRuns =
  <T, R>(look: (subject: T) => R) =>
  (subject: T): R[] => {
    try {
      return [look(subject)];
    } catch {
      return [];
    }
  };

/** The fields of proc_pid_stat(5); the second, in brackets, may itself hold brackets and spaces. */
function readProcess(pid: number): Omit<Process, 'command'> {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, parent: Number(fields[1]), startTime: fields[19] ?? '', state: fields[0] ?? '' };
}

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
