import { accessSync, constants, lstatSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { asOwnerOfSync } from './as-owner.ts';
import { HostError, isFull } from './errors.ts';
import { createOwnedFile } from './regular-file.ts';

/**
 * Locks that live where the data lives: fcntl(2) locks on an empty file, which Node reaches through SQLite. They hold
 * between processes, containers and network namespaces of one kernel, end with their process however that ends, and
 * nobody can leave one behind.
 */
export interface FileLock {
  release(): void;
}

/** Nobody may let go of a lock by forgetting it: a database that is collected is closed. */
const held = new Set<DatabaseSync>();

const SQLITE_BUSY = 5;
const AGAIN_MS = 50;

/**
 * Takes the lock on `path`, an empty file that is made if it is absent.
 * @returns undefined when somebody else has it, in this process or another.
 * @throws HostError DISK_FULL where there is no room to make the file; DISK_IO where it cannot be made or locked. The
 *   cause is the platform's error: SQLite's own does not tell a read-only disk from a file of another user's.
 */
export function tryFileLock(path: string): FileLock | undefined {
  // SQLite opens it by its name, in whose place the directory's owner may have laid a link.
  return asOwnerOfSync(dirname(path), () => take(path));
}

function take(path: string): FileLock | undefined {
  let database: DatabaseSync | undefined;
  createFile(path);
  try {
    if (!lstatSync(path).isFile()) throw new Error('it is no file');
    database = new DatabaseSync(path, { timeout: 0 });
    // No journal: nothing is ever written.
    database.exec('PRAGMA journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (isBusy(cause)) return undefined;
    const why = (cause as Error).message;
    throw new HostError(
      'DISK_IO',
      `cannot lock ${path}: ${why}; it has to be an empty file that this user may write`,
      whyNotWritable(path) ?? cause,
    );
  }
  const own = database;
  held.add(own);
  return {
    release() {
      if (held.delete(own)) own.close();
    },
  };
}

/** Whether somebody has the lock on `path`, which this process may not be able to write. @throws HostError DISK_IO. */
export function isFileLocked(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0, readOnly: true });
    // Takes a shared lock, for as long as it lasts.
    database.exec('SELECT count(*) FROM sqlite_schema');
    return false;
  } catch (cause) {
    if (isBusy(cause)) return true;
    throw new HostError(
      'DISK_IO',
      `cannot see whether ${path} is locked: ${(cause as Error).message}`,
      cause,
    );
  } finally {
    database?.close();
  }
}

const isBusy = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;

/** As tryFileLock, but waits `waitMs` while somebody else has it. */
export const fileLock = (path: string, waitMs: number): Promise<FileLock | undefined> =>
  within(waitMs, () => tryFileLock(path));

async function within(waitMs: number, attempt: () => FileLock | undefined): Promise<FileLock | undefined> {
  for (let waitedMs = 0; ; waitedMs += AGAIN_MS) {
    const lock = attempt();
    if (lock !== undefined || waitedMs >= waitMs) return lock;
    await sleep(AGAIN_MS);
  }
}

/**
 * As fileLock, of a file that is removed with the lock: for files among a person's own.
 * @returns undefined when somebody else has it for all of `waitMs`.
 */
export const passingFileLock = (path: string, waitMs: number): Promise<FileLock | undefined> =>
  within(waitMs, () => tryPassingFileLock(path));

function tryPassingFileLock(path: string): FileLock | undefined {
  createFile(path);
  const before = inodeOf(path);
  const lock = tryFileLock(path);
  if (lock === undefined) return undefined;
  // Who had it before may have removed the file: a lock on what nobody finds any more keeps nobody out.
  if (before === undefined || before !== inodeOf(path)) {
    lock.release();
    return undefined;
  }
  return {
    release() {
      try {
        asOwnerOfSync(dirname(path), () => unlinkSync(path));
      } catch (error) {
        // Gone already; or the disk has become read-only, and what lies there is locked by nobody.
        if (!['ENOENT', 'EROFS'].includes((error as { code?: string }).code ?? '')) throw error;
      } finally {
        lock.release();
      }
    },
  };
}

function createFile(path: string): void {
  try {
    createOwnedFile(path);
  } catch (cause) {
    const code = isFull(cause) ? 'DISK_FULL' : 'DISK_IO';
    throw new HostError(code, `cannot make ${path}: ${(cause as Error).message}`, cause);
  }
}

function whyNotWritable(path: string): unknown {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (cause) {
    return cause;
  }
}

const inodeOf = (path: string) => lstatSync(path, { throwIfNoEntry: false, bigint: true })?.ino;
