import { readFileSync } from 'node:fs';

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
