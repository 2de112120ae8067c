import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { asOwnerOfSync, lesserOwner } from './as-owner.ts';
import { FileError } from './errors.ts';
import { writeTextFile } from './files.ts';
import { readRegularFile } from './regular-file.ts';

/**
 * Reads a secret from a file, or for `-` from standard input. What is given may be the secret itself, by mistake: no
 * message quotes it.
 * @param option the option's name, for the error.
 * @throws FileError FILE_UNREADABLE.
 */
export function readSecretFile(option: string, file: string, maxBytes: number): string {
  if (file === '-') return readFileSync(0, 'utf8').slice(0, maxBytes);
  if (lesserOwner(dirname(file)) !== undefined) return readOfOthers(option, file, maxBytes);
  const cause = unreadable(file, maxBytes);
  if (cause === undefined) return readFileSync(file, 'utf8');
  throw new FileError(
    'FILE_UNREADABLE',
    `${option} takes a file, or "-" for standard input; the file given ${cause}`,
  );
}

/** Who owns the directory may have put a FIFO there, to have root wait. */
function readOfOthers(option: string, file: string, maxBytes: number): string {
  try {
    const bytes = readRegularFile(file, { maxBytes });
    if (bytes !== undefined) return bytes.toString('utf8');
  } catch (cause) {
    throw new FileError('FILE_UNREADABLE', `${option} takes a file; the file given is none`, cause);
  }
  throw new FileError('FILE_UNREADABLE', `${option} takes a file; there is none of that name`);
}

/** Writes a secret anew, durably, and overwrites with zeros what its file held before. @throws FileError FILE_UNWRITABLE. */
export function replaceSecretFile(path: string, text: string): void {
  // What is overwritten may be a link to a file of somebody else's, by the directory's owner.
  asOwnerOfSync(dirname(path), () => {
    const old = openOld(path);
    try {
      writeTextFile(path, text, 0o600);
      writeSync(old, new Uint8Array(fstatSync(old).size), 0, undefined, 0);
      fsyncSync(old);
    } finally {
      closeSync(old);
    }
  });
}

function openOld(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    throw new FileError('FILE_UNWRITABLE', `cannot write ${path}: ${(cause as Error).message}`, cause);
  }
}

/** Why a file cannot be read; undefined for one that can. */
function unreadable(file: string, maxBytes: number): string | undefined {
  try {
    accessSync(file, constants.R_OK);
    const stat = statSync(file);
    if (stat.isDirectory()) return 'is a directory';
    return stat.size > maxBytes ? `is longer than ${maxBytes} bytes` : undefined;
  } catch (error) {
    return `cannot be read (${String((error as { code?: unknown }).code)})`;
  }
}
