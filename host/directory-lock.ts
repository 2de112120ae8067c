import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { spawnTethered } from './child.ts';
import { HostError } from './errors.ts';
import type { FileLock } from './file-lock.ts';

/**
 * Locks of directories themselves, by flock(1), for which nothing has to be written. This process has one as long as it
 * keeps the directory open; where it has no right to open it, a process of its owner's has one for it.
 */

/** What flock(1) is told to end with when somebody else holds it. */
const HELD = 75;
const conflict = ['--conflict-exit-code', `${HELD}`];

/** @returns undefined when somebody else holds it. @throws HostError DISK_IO where it cannot be held. */
export function tryDirectoryLock(path: string): FileLock | undefined {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  // A lock belongs to what is open, which the command has from this process.
  const { status, error, stderr } = spawnSync('flock', ['--nonblock', ...conflict, '3'], {
    stdio: ['ignore', 'ignore', 'pipe', directory],
    encoding: 'utf8',
  });
  if (status === 0) return { release: () => closeSync(directory) };
  closeSync(directory);
  if (status === HELD) return undefined;
  const isMissing = (error as { code?: unknown } | undefined)?.code === 'ENOENT';
  const why = isMissing ? 'flock is not installed; its package is util-linux' : (error?.message ?? stderr);
  throw cannotHold(path, why, error);
}

export interface DirectoryHold {
  /** Settles when what holds it has ended, which somebody may have killed. */
  readonly over: Promise<void>;
}

/** A command that changes what lies in there has it for a moment: that is waited out. */
const WAIT_SECONDS = 2;
const MAX_SAID_LENGTH = 500;

/**
 * Has it held until this process ends, however that ends: by cat(1), which is started with the lock and ends
 * with its stdin.
 * @param under the command that makes a process the owner's (host/confinement.ts); none for one's own.
 * @returns undefined when somebody else holds it.
 * @throws HostError DISK_IO where it cannot be held.
 */
export async function holdDirectory(
  path: string,
  under: readonly string[],
): Promise<DirectoryHold | undefined> {
  const flock = ['flock', '--no-fork', '--wait', `${WAIT_SECONDS}`, ...conflict, path, 'cat'];
  // In a session of its own: Ctrl-C at a terminal is this process's to hear.
  const child = spawnTethered('setsid', flock, ['pipe', 'pipe', 'pipe'], {}, under);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (said.length < MAX_SAID_LENGTH) said += chunk.toString('utf8');
  });
  // EPIPE: it is gone, which its exit tells.
  child.stdin?.on('error', () => undefined);
  // Comes back once cat runs.
  child.stdin?.write('\n');
  const ended = new Promise<string | number | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve(signal ?? code));
  });
  const first = await Promise.race([ended, once(child.stdout as NodeJS.ReadableStream, 'data')]);
  if (first === HELD) return undefined;
  if (!Array.isArray(first)) throw cannotHold(path, said || `flock ended with ${first}`);
  // This process ends without waiting for it.
  child.unref();
  for (const stream of child.stdio) (stream as { unref?: () => void } | null)?.unref?.();
  return { over: ended.then(() => undefined) };
}

const cannotHold = (path: string, why: string, cause?: unknown) =>
  new HostError('DISK_IO', `cannot hold ${path}: ${why.trim()}`, cause);
