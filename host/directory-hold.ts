import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { spawnTethered } from './child.ts';
import { HostError } from './errors.ts';

/**
 * Holds a directory by a process of its owner's, for one that has no right to open it: flock(1) locks the directory
 * itself, so that nothing has to be written, and cat(1) keeps the lock until its stdin ends, which it does with this
 * process however that ends.
 */
export interface DirectoryHold {
  /** Settles when what holds it has ended, which somebody may have killed. */
  readonly over: Promise<void>;
}

/** What flock(1) is told to end with when somebody else holds it. */
const HELD = 75;
/** Who only asks whether it is held has it for a moment: that is waited out. */
const WAIT_SECONDS = 2;
const MAX_SAID_LENGTH = 500;

const conflict = ['--conflict-exit-code', `${HELD}`];

/**
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
  // Comes back from cat, which is started with the lock.
  child.stdin?.write('\n');
  const ended = new Promise<string | number | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve(signal ?? code));
  });
  const first = await Promise.race([ended, once(child.stdout as NodeJS.ReadableStream, 'data')]);
  if (first === HELD) return undefined;
  if (!Array.isArray(first)) {
    throw new HostError('DISK_IO', `cannot hold ${path}: ${said.trim() || `flock ended with ${first}`}`);
  }
  // This process ends without waiting for it.
  child.unref();
  for (const stream of child.stdio) (stream as { unref?: () => void } | null)?.unref?.();
  return { over: ended.then(() => undefined) };
}

/** Whether somebody holds a directory, which this process may read. @throws HostError DISK_IO. */
export function isDirectoryHeld(path: string): boolean {
  const { status, error, stderr } = spawnSync(
    'flock',
    ['--shared', '--nonblock', ...conflict, path, 'true'],
    {
      encoding: 'utf8',
    },
  );
  // Where there is no flock nobody can hold it.
  if (status === 0 || (error as { code?: unknown } | undefined)?.code === 'ENOENT') return false;
  if (status === HELD) return true;
  throw new HostError(
    'DISK_IO',
    `cannot see whether ${path} is held: ${error?.message ?? stderr.trim()}`,
    error,
  );
}
