import { join } from 'node:path';
import type { Disk } from '../../host/disk.ts';
import { SpoolError } from './errors.ts';

/** Who claims a directory: a name for this process, and whether the process of another name still runs. */
export interface Owner {
  readonly name: string;
  isRunning(name: string): Promise<boolean>;
  /** Another owner, whose claim does not stand in the way. */
  readonly beside?: string | undefined;
}

const PREFIX = 'lock-';

/**
 * Claims `dir` for `owner` (docs/spool.md, "Lock"). Each claims before it looks, so that of two at once at
 * most one goes on.
 * @returns how to give the claim up.
 * @throws SpoolError SPOOL_LOCKED; HostError.
 */
export async function lockDirectory(disk: Disk, dir: string, owner: Owner): Promise<() => Promise<void>> {
  const own = PREFIX + owner.name;
  const claim = await disk.create(join(dir, own), 0o600);
  if (claim === undefined) {
    throw new SpoolError('SPOOL_LOCKED', `the spool ${dir} is already open in this process`);
  }
  await claim.close();
  const release = async () => {
    await disk.unlink(join(dir, own));
  };
  for (const name of (await disk.list(dir)) ?? []) {
    const other = name.slice(PREFIX.length);
    if (!name.startsWith(PREFIX) || name === own || other === owner.beside) continue;
    if (await owner.isRunning(other)) {
      await release();
      throw new SpoolError('SPOOL_LOCKED', `the spool ${dir} is in use by another process (${other})`);
    }
    await disk.unlink(join(dir, name));
  }
  return release;
}
