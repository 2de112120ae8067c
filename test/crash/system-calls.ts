import { readFileSync } from 'node:fs';

/** What strace saw, in the words of crash-point.ts. */

/** To run a program under, with what it is to see. */
export const traceInto = (file: string): string[] => [
  'strace',
  '--follow-forks',
  '--decode-fds=path',
  '--quiet=all',
  '--seccomp-bpf',
  `--output=${file}`,
  '--trace=write,writev,pwrite64,pwritev,pwritev2,rename,renameat,renameat2,fsync,fdatasync,execve,clone,clone3,fork,vfork',
];

const KINDS: Readonly<Record<string, string>> = {
  write: 'write',
  writev: 'write',
  pwrite64: 'write',
  pwritev: 'write',
  pwritev2: 'write',
  rename: 'rename',
  renameat: 'rename',
  renameat2: 'rename',
  fsync: 'fsync',
  fdatasync: 'fsync',
};

/** How often each was done to what lies below a directory, and how many processes the program started itself. */
export function tracedKinds(file: string, below: string): Record<string, number> {
  const kinds: Record<string, number> = {};
  const lines = readFileSync(file, 'utf8').split('\n');
  const program = lines[0]?.split(' ')[0];
  const children = new Set<string>();
  const running = new Set<string>();
  for (const line of lines) {
    const [, pid = '', call = '', subject = ''] = /^(\d+) +(\w+)\((?:\d+<|")?([^">]*)/.exec(line) ?? [];
    const kind = KINDS[call];
    if (call === 'execve') running.add(pid);
    else if (kind !== undefined && subject.startsWith(`${below}/`)) kinds[kind] = (kinds[kind] ?? 0) + 1;
    const [, parent, child] = /^(\d+) .*(?:clone3?|v?fork)\b.* = (\d+)$/.exec(line) ?? [];
    if (parent === program && child !== undefined) children.add(child);
  }
  // Its threads run nothing else.
  const started = [...children].filter((child) => running.has(child)).length;
  return started > 0 ? { ...kinds, spawn: started } : kinds;
}
