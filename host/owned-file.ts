import { closeSync, fchownSync, fsyncSync, openSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Owner } from './as-owner.ts';

/**
 * Whom a file belongs to that this process makes at `path`: as root, to the owner of its directory, since the service
 * that runs there is to read and replace it. Undefined where that is this process's own user anyway.
 */
export function ownerFor(path: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const { uid, gid } = statSync(dirname(path));
  return uid === 0 ? undefined : { uid, gid };
}

/**
 * Gives what this process has made at `path` and holds open to the owner of its directory, if root made it. Whatever that
 * owner has laid in its place meanwhile stays as it is.
 */
export function giveToOwner(file: number, path: string): void {
  const owner = ownerFor(path);
  if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
}

/**
 * Makes a file, mode 0600, durably: empty, or with `text` in it. One that is there is left alone, and not opened: closing it would give up
 * this process's locks on it (fcntl(2), "Record locks").
 * @returns false when it is there already.
 */
export function createOwnedFile(path: string, text = ''): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false;
    throw error;
  }
  try {
    giveToOwner(file, path);
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
}
