import { join } from 'node:path';
import { tryFileLock } from '../../host/file-lock.ts';
import { SpoolError } from './errors.ts';

/**
 * Claims `dir` for this process (docs/spool.md, "Lock").
 * @returns how to give the claim up.
 * @throws SpoolError SPOOL_LOCKED; HostError.
 */
export function lockSpool(dir: string): () => void {
  const lock = tryFileLock(join(dir, 'lock'));
  if (lock === undefined) throw new SpoolError('SPOOL_LOCKED', `the spool ${dir} is open already`);
  return () => lock.release();
}
