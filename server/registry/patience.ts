import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Patience } from './database.ts';

/** The byte of the -shm file that a writer in WAL mode locks (sqlite.org/walformat.html, section 2.3.1). */
const WAL_WRITE_LOCK = '120';

/**
 * The process that writes a directory's registry, as this machine shows it: its pid and name. Undefined when nobody
 * does, or one in another container.
 */
function registryHolder(directory: string): { readonly pid: number; readonly name: string } | undefined {
  try {
    const { ino } = statSync(join(directory, 'registry.db-shm'));
    const pid = writerOf(readFileSync('/proc/locks', 'utf8'), ino);
    return pid === undefined ? undefined : { pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() };
  } catch {
    return undefined; // It only helps a person: whatever cannot be read is not said.
  }
}

/** Who holds the write lock on an inode, by the lines of /proc/locks (proc_locks(5)); a pid of 0 is of another container. */
export function writerOf(locks: string, inode: number): number | undefined {
  for (const line of locks.split('\n')) {
    const [, kind, , access, pid, file = '', from] = line.trim().split(/\s+/);
    if (kind !== 'POSIX' || access !== 'WRITE' || from !== WAL_WRITE_LOCK) continue;
    if (file.split(':')[2] === String(inode) && Number(pid) > 0) return Number(pid);
  }
  return undefined;
}

/** How long a command waits for another process that writes the registry, ms. */
export const COMMAND_WAIT_MS = 30_000;

/** A command's patience with another process that holds a directory's registry: it says that it waits, and for whom. */
export function commandPatience(
  directory: string,
  say: (line: string) => void,
  waitMs = COMMAND_WAIT_MS,
): Patience {
  const seconds = waitMs / 1000;
  let said = false;
  return {
    waitMs,
    waiting() {
      if (!said) say(`waiting up to ${seconds} s for ${holder(directory)}, which holds the registry`);
      said = true;
    },
    gaveUp: () =>
      `${holder(directory)} has held ${directory}/registry.db for ${seconds} s, and nothing was written: let it end, then do this again`,
  };
}

function holder(directory: string): string {
  const found = registryHolder(directory);
  return found === undefined ? 'another process' : `process ${found.pid} (${found.name})`;
}
