import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { CommandError } from './errors.ts';

/** Reads a text file whole, its size checked first. @throws CommandError FILE_UNREADABLE. */
export function readTextFile(path: string, maxBytes: number): string {
  try {
    const { size } = statSync(path);
    if (size > maxBytes) throw new Error(`${size} bytes are more than ${maxBytes}`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CommandError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, cause);
  }
}

/**
 * Reads a regular file whole, its size checked first; a pipe or device never makes it wait.
 * @throws CommandError FILE_UNREADABLE.
 */
export function readRegularFile(path: string, maxBytes: number): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Error('not a regular file');
    if (stat.size > maxBytes) throw new Error(`${stat.size} bytes are more than ${maxBytes}`);
    return readFileSync(file);
  } catch (cause) {
    throw new CommandError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Writes a file at once and durably; `fresh` refuses to replace one. @throws CommandError. */
export function writeTextFile(path: string, text: string, mode: number, fresh = false): void {
  if (fresh && existsSync(path)) {
    throw new CommandError('FILE_EXISTS', `${path} is there already; choose another name or move it away`);
  }
  try {
    const temporary = `${path}.tmp`;
    writeFileSync(temporary, text, { mode });
    const file = openSync(temporary, 'r');
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, path);
  } catch (cause) {
    throw new CommandError('FILE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}
