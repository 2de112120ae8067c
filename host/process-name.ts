import { readFileBounded } from './atomic-file.ts';
import type { Disk } from './disk.ts';
import { HostError } from './errors.ts';

/**
 * A name for a process that no other process ever bears: boot id, pid and start time in clock ticks, joined
 * by '-'. (A pid alone is soon given to another.)
 */

const MAX_STAT_LENGTH = 4096;

/** This process's name. @throws HostError DISK_IO when /proc does not tell. */
export async function ownProcessName(disk: Disk): Promise<string> {
  const name = await nameOf(disk, process.pid);
  if (name === undefined) throw new HostError('DISK_IO', 'cannot read /proc/self: is /proc mounted?');
  return name;
}

async function nameOf(disk: Disk, pid: number): Promise<string | undefined> {
  const bootId = await readText(disk, '/proc/sys/kernel/random/boot_id');
  const stat = await readText(disk, `/proc/${pid}/stat`);
  if (bootId === undefined || stat === undefined) return undefined;
  // proc(5): the command's name, in parentheses, may itself hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[19];
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return `${bootId.trim().replaceAll('-', '')}-${pid}-${startTime}`;
}

async function readText(disk: Disk, path: string): Promise<string | undefined> {
  const bytes = await readFileBounded(disk, path, MAX_STAT_LENGTH);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}
