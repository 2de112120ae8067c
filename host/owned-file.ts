import { closeSync, fchownSync, fsyncSync, lchownSync, openSync, statSync } from 'node:fs';
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

/** Gives what was made at `path` a moment ago to the owner of its directory, if root made it; a link laid there is not followed. */
export function giveToOwner(path: string): void {
  const owner = ownerFor(path);
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
}

/**
 * Makes an empty file, mode 0600, durably. One that is there is left alone, and not opened: closing it would give up
 * this process's locks on it (fcntl(2), "Record locks").
 * @returns false when it is there already.
 */
export function createOwnedFile(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false;
    throw error;
  }
  try {
    const owner = ownerFor(path);
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
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
