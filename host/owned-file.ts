import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { asOwnerOfSync } from './as-owner.ts';

/**
 * Makes a file, mode 0600, durably: empty, or with `text` in it. Root's belongs to its directory's owner, with whose
 * rights it is made: the service that runs there is to read and replace it. One that is there is left alone, and not
 * opened: closing it would give up this process's locks on it (fcntl(2), "Record locks").
 * @returns false when it is there already.
 */
export function createOwnedFile(path: string, text = ''): boolean {
  return asOwnerOfSync(dirname(path), () => {
    let file: number;
    try {
      file = openSync(path, 'wx', 0o600);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EEXIST') return false;
      throw error;
    }
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    const directory = openSync(dirname(path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    return true;
  });
}
