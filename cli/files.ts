import {
  closeSync,
  existsSync,
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
