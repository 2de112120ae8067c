import { join } from 'node:path';
import { tryFileLock } from '../../host/file-lock.ts';
import { SpoolError } from './errors.ts';

/**
 * Claims `dir` for this process (docs/design/spool.md, "Lock").
 * @returns how to give the claim up.
 * @throws SpoolError SPOOL_LOCKED; HostError.
 */
export function lockSpool(dir: string): () => void {
  const path = join(dir, 'lock');
  const lock = tryFileLock(path);
  if (lock === undefined) {
    const way = `end the process that has ${path} locked (lslocks)`;
    throw new SpoolError('SPOOL_LOCKED', `the spool ${dir} is open already: ${way}`);
  }
  return () => lock.release();
}
