import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type FileLock, fileLock } from '../../host/file-lock.ts';
import { ServerError } from '../errors.ts';

/** Whoever only asks whether a server runs holds the lock for a moment: a server that starts waits that out, ms. */
const WAIT_MS = 500;

/**
 * Keeps a second server off a directory: both would append to the same files. The lock lies in the directory, so that it
 * holds between containers too, and ends with its process.
 * @throws ServerError DIRECTORY_IN_USE, DIRECTORY_MALFORMED when it cannot be looked at, DIRECTORY_UNLOCKABLE.
 */
export async function lockDirectory(directory: string): Promise<FileLock> {
  const lock = await lockWithin(directory, WAIT_MS);
  if (lock === undefined)
    throw new ServerError(
      'DIRECTORY_IN_USE',
      `another server runs on ${directory}: end that one, or name another directory`,
    );
  return lock;
}

/** Whether a server runs on a directory. @throws as lockDirectory, but DIRECTORY_IN_USE. */
export async function isServerRunning(directory: string): Promise<boolean> {
  const lock = await lockWithin(directory, 0);
  lock?.release();
  return lock === undefined;
}

async function lockWithin(directory: string, waitMs: number): Promise<FileLock | undefined> {
  checkDirectory(directory);
  try {
    return await fileLock(join(directory, 'server.lock'), waitMs);
  } catch (cause) {
    throw new ServerError('DIRECTORY_UNLOCKABLE', (cause as Error).message, cause);
  }
}

function checkDirectory(directory: string): void {
  try {
    if (statSync(directory).isDirectory()) return;
  } catch (cause) {
    const code = String((cause as { code?: unknown }).code ?? 'UNKNOWN');
    const message =
      code === 'ENOENT'
        ? `${directory} is missing; to make a new server: oriel server init`
        : `${directory} cannot be looked at: ${code}`;
    throw new ServerError('DIRECTORY_MALFORMED', message, cause);
  }
  throw new ServerError('DIRECTORY_MALFORMED', `${directory} is no directory`);
}
