import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { ServerError } from './errors.ts';

/**
 * Keeps a second server off a directory: both would append to the same files. The lock is a socket in Linux's
 * abstract namespace, named after the directory's inode: it vanishes with its process, however that ends, and
 * nobody can leave it behind.
 * @throws ServerError DIRECTORY_IN_USE.
 */
export function lockDirectory(directory: string): Promise<Server> {
  const { dev, ino } = statSync(directory);
  return new Promise((resolve, reject) => {
    const lock = createServer((socket) => socket.destroy());
    lock.once('error', (cause) => {
      reject(new ServerError('DIRECTORY_IN_USE', `another server runs on ${directory}`, cause));
    });
    lock.listen(`\0oriel-server-${dev}-${ino}`, () => resolve(lock));
  });
}
