import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { PLAIN_ENVIRONMENT, spawnChild } from './child.ts';
import { HostError } from './errors.ts';
import type { FileLock } from './file-lock.ts';

/**
 * Locks of directories themselves, by flock(1), for which nothing has to be written. This process has one as long as it
 * keeps the directory open; where it has no right to open it, a process of its owner's has one for it.
 */

/** What flock(1) is told to end with when somebody else has the lock. */
const TAKEN = 75;
/** How long it may take beyond what it is told to wait: somebody may have stopped it. */
const SPARE_MS = 20_000;
const MAX_SAID_LENGTH = 500;

const waiting = (ms: number) => ['--wait', `${ms / 1000}`, '--conflict-exit-code', `${TAKEN}`];

/**
 * @param waitMs how long others are waited for, while nothing else goes on in this process.
 * @param kind beside a `shared` one there can be others that are.
 * @returns undefined when somebody else has it.
 * @throws HostError DISK_IO where it cannot be had.
 */
export function tryDirectoryLock(
  path: string,
  waitMs: number,
  kind: 'shared' | 'exclusive' = 'exclusive',
): FileLock | undefined {
  const directory = openDirectory(path);
  // A lock belongs to what is open, which the command has from this process.
  const { status, signal, error, stderr } = spawnSync('flock', [`--${kind}`, ...waiting(waitMs), '3'], {
    stdio: ['ignore', 'ignore', 'pipe', directory],
    encoding: 'utf8',
    env: PLAIN_ENVIRONMENT,
    ...asRoot(),
    timeout: waitMs + SPARE_MS,
    killSignal: 'SIGKILL',
  });
  if (status === 0) return { release: () => closeSync(directory) };
  closeSync(directory);
  if (status === TAKEN) return undefined;
  const isMissing = (error as { code?: unknown } | undefined)?.code === 'ENOENT';
  const why = isMissing ? 'flock is not installed; its package is util-linux' : error?.message;
  throw cannotLock(path, why ?? (stderr || `flock ended with ${signal ?? status}`), error);
}

/** Root that does something with another user's rights has that user stop none of its processes. */
function asRoot(): { uid?: number } {
  const uid = process.getuid?.();
  // To take on what one is already takes a right too, which a container may lack.
  return uid === undefined || uid === process.geteuid?.() ? {} : { uid };
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw cannotLock(path, (cause as Error).message, cause);
  }
}

/** A lock that a process of the owner's has for this one. */
export interface DirectoryHold {
  /** Settles when that process has ended, which somebody may have killed. */
  readonly over: Promise<void>;
}

export interface HoldOptions {
  /** The command that makes a process the owner's (host/sandbox.ts). */
  readonly under: readonly string[];
  readonly waitMs: number;
  /** Aborted to wait no more, or to give the lock up. */
  readonly signal: AbortSignal;
}

/**
 * Has it locked until the signal, or this process's end, however that ends: by cat(1), which is started with the lock and
 * ends with its stdin.
 * @returns undefined when somebody else has it, or at the signal.
 * @throws HostError DISK_IO where it cannot be had.
 */
export async function holdDirectory(
  path: string,
  { under, waitMs, signal }: HoldOptions,
): Promise<DirectoryHold | undefined> {
  // Without a / it would make a file where there is no directory.
  const flock = ['flock', '--no-fork', ...waiting(waitMs), `${path}/`, 'cat'];
  // In a session of its own: Ctrl-C at a terminal is this process's to hear.
  const child = spawnChild('setsid', flock, ['pipe', 'pipe', 'pipe'], {}, under);
  // EPIPE: it is gone, which its exit tells.
  child.stdin?.on('error', () => undefined);
  // Comes back once cat runs.
  child.stdin?.write('\n');
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (said.length < MAX_SAID_LENGTH) said += chunk.toString('utf8');
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('close', (code, killedBy) => resolve(`flock ended with ${killedBy ?? code}`));
  });
  const patience = AbortSignal.any([signal, AbortSignal.timeout(waitMs + SPARE_MS)]);
  const isHeld = await Promise.race([
    once(child.stdout ?? child, 'data', { signal: patience }).then(() => true),
    ended.then(() => false),
  ]).catch(() => undefined);
  leave(child);
  const giveUp = () => void child.stdin?.end();
  if (isHeld) {
    signal.addEventListener('abort', giveUp, { once: true });
    return { over: ended.then(() => signal.removeEventListener('abort', giveUp)) };
  }
  giveUp();
  if (child.exitCode === TAKEN || signal.aborted) return undefined;
  throw cannotLock(path, isHeld === undefined ? 'flock does not end' : said || (await ended));
}

/** This process ends without waiting for it: it may have been stopped. */
function leave(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) (stream as { unref?: () => void } | null)?.unref?.();
}

const cannotLock = (path: string, why: string, cause?: unknown) =>
  new HostError('DISK_IO', `cannot lock ${path}: ${why.trim()}`, cause);
