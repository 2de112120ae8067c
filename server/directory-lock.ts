import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { ServerError } from './errors.ts';

/**
 * Keeps a second server off a directory: both would append to the same files. The lock is a socket in Linux's
 * abstract namespace, named after the directory's inode: it vanishes with its process, however that ends, and
 * nobody can leave it behind.
 * @throws ServerError DIRECTORY_IN_USE, DIRECTORY_MALFORMED when it cannot be looked at, DIRECTORY_UNLOCKABLE.
 */
export function lockDirectory(directory: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const name = lockName(directory);
    const lock = createServer((socket) => socket.destroy());
    lock.once('error', (cause) => reject(lockRefused(directory, cause)));
    lock.listen(name, () => resolve(lock));
  });
}

/** Whether a server runs on a directory. @throws as lockDirectory, but DIRECTORY_IN_USE. */
export async function isServerRunning(directory: string): Promise<boolean> {
  try {
    const lock = await lockDirectory(directory);
    lock.close();
    return false;
  } catch (error) {
    if (error instanceof ServerError && error.code === 'DIRECTORY_IN_USE') return true;
    throw error;
  }
}

function lockName(directory: string): string {
  try {
    const { dev, ino } = statSync(directory, { bigint: true });
    return `\0oriel-server-${dev}-${ino}`;
  } catch (cause) {
    const code = codeOf(cause);
    const message =
      code === 'ENOENT'
        ? `${directory} is missing; to make a new server: oriel server init`
        : `${directory} cannot be looked at: ${code}`;
    throw new ServerError('DIRECTORY_MALFORMED', message, cause);
  }
}

function lockRefused(directory: string, cause: Error): ServerError {
  const code = codeOf(cause);
  if (code === 'EADDRINUSE') {
    return new ServerError('DIRECTORY_IN_USE', `another server runs on ${directory}`, cause);
  }
  const message = `${directory} cannot be locked: ${code}; its lock is a Unix socket (AF_UNIX), which has to be allowed`;
  return new ServerError('DIRECTORY_UNLOCKABLE', message, cause);
}

const codeOf = (error: unknown) => String((error as { code?: unknown }).code ?? 'UNKNOWN');
