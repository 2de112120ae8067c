import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { asOwnerOfSync } from './as-owner.ts';
import { FileError } from './errors.ts';
import { type FileLock, passingFileLock } from './file-lock.ts';
import { readRegularFile } from './regular-file.ts';

/**
 * Reads a text file whole; a pipe too, and of a device that never ends no more than is wanted.
 * @throws FileError FILE_UNREADABLE.
 */
export function readTextFile(path: string, maxBytes: number): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= maxBytes; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    if (length > maxBytes) throw new Error(`it is longer than ${maxBytes} bytes`);
    return bytes.toString('utf8', 0, length);
  } catch (cause) {
    throw new FileError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Reads a regular file whole that a command needs, by whatever link; a pipe or device never makes it wait.
 * @throws FileError FILE_UNREADABLE, when there is none too.
 */
export function readNeededFile(path: string, maxBytes: number): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    bytes = readRegularFile(path, { maxBytes, link: true });
  } catch (cause) {
    throw new FileError('FILE_UNREADABLE', (cause as Error).message, cause);
  }
  if (bytes === undefined)
    throw new FileError('FILE_UNREADABLE', `cannot read ${path}: there is no such file`);
  return bytes;
}

export interface OutputOptions {
  /** Whether a file already there may be replaced. */
  readonly force: boolean;
  /** Files that no output ever replaces: those the command reads. */
  readonly inputs: readonly string[];
}

/**
 * Makes sure that writing to `path` destroys nothing that is still wanted.
 * @throws FileError USAGE for one of the inputs, by whatever name; FILE_EXISTS, FILE_UNWRITABLE for what is no file.
 */
export function checkOutput(path: string, { force, inputs }: OutputOptions): void {
  const there = lookAt(path);
  if (there === undefined) return;
  if (!there.isFile()) {
    throw new FileError('FILE_UNWRITABLE', `cannot write ${path}: it is no regular file`);
  }
  const input = inputs.map(lookAt).some((other) => other?.dev === there.dev && other.ino === there.ino);
  if (input) throw new FileError('USAGE', `${path} is what this command reads; write to another file`);
  if (force) return;
  throw new FileError(
    'FILE_EXISTS',
    `${path} is there already; choose another name, or replace it with --force`,
  );
}

/** Exact inode numbers, which do not fit a double on every file system. */
function lookAt(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (cause) {
    throw new FileError('FILE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}

/**
 * Writes a file at once and durably, as root with the rights of its directory's owner; `fresh` refuses to replace one.
 * @throws FileError.
 */
export function writeTextFile(path: string, text: string | Uint8Array, mode: number, fresh = false): void {
  if (fresh && existsSync(path)) {
    throw new FileError('FILE_EXISTS', `${path} is there already; choose another name or move it away`);
  }
  // A name that nobody can have prepared, and never one that is there: what is written may be a secret.
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    asOwnerOfSync(dirname(path), () => {
      try {
        writeDurably(temporary, text, mode);
        renameSync(temporary, path);
        syncDirectory(dirname(path));
      } finally {
        rmSync(temporary, { force: true });
      }
    });
  } catch (cause) {
    throw new FileError('FILE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}

function writeDurably(path: string, text: string | Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** How long another command may have the file, ms. */
const LOCK_WAIT_MS = 5_000;

/**
 * Reads, changes and writes a file with nobody else doing the same: a counter read twice would be signed twice.
 * @throws FileError FILE_BUSY when another command has it for 5 s, FILE_UNWRITABLE.
 */
export async function withFileLocked<T>(path: string, act: () => T | Promise<T>): Promise<T> {
  const lock = await lockOf(path);
  if (lock === undefined) {
    throw new FileError(
      'FILE_BUSY',
      `${path} is being changed by another command: let it end, then do this again`,
    );
  }
  try {
    return await act();
  } finally {
    lock.release();
  }
}

async function lockOf(path: string): Promise<FileLock | undefined> {
  try {
    return await passingFileLock(`${path}.lock`, LOCK_WAIT_MS);
  } catch (cause) {
    throw new FileError('FILE_UNWRITABLE', (cause as Error).message, cause);
  }
}
