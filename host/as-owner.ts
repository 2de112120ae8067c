import { lstatSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** User and group of a directory. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The owner of a directory when this process is root and the owner is not: whatever lies in there, somebody with fewer
 * rights may have put there. Of a symbolic link to a directory of root's it is the link's; of a directory that is yet to
 * be made, that of the nearest one above it. Undefined otherwise.
 */
export function lesserOwner(path: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const stats = statSync(path, { throwIfNoEntry: false });
  const above = dirname(resolve(path));
  if (stats === undefined) return above === resolve(path) ? undefined : lesserOwner(above);
  return lesser(stats) ?? lesser(lstatSync(path, { throwIfNoEntry: false }) ?? stats);
}

const lesser = (stats: Owner): Owner | undefined =>
  stats.uid === 0 ? undefined : { uid: stats.uid, gid: stats.gid };

/**
 * Does something to the files of a directory with its owner's rights: root gives up its own for as long as it lasts
 * (seteuid(2)), so that no name in there leads it anywhere the owner could not go. Nothing else may go on meanwhile.
 */
export async function asOwnerOf<T>(path: string, act: () => T | Promise<T>): Promise<T> {
  const beRootAgain = giveUpRoot(lesserOwner(path));
  try {
    return await act();
  } finally {
    beRootAgain();
  }
}

/** As asOwnerOf, for what is done at once: then nothing else goes on meanwhile. */
export function asOwnerOfSync<T>(path: string, act: () => T): T {
  const beRootAgain = giveUpRoot(lesserOwner(path));
  try {
    return act();
  } finally {
    beRootAgain();
  }
}

/** Returns how to take root's rights back. */
function giveUpRoot(owner: Owner | undefined): () => void {
  if (owner === undefined) return () => undefined;
  const { gid, groups } = { gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [] };
  process.setgroups?.([owner.gid]);
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
  return () => {
    process.seteuid?.(0);
    process.setegid?.(gid);
    process.setgroups?.(groups);
  };
}

/** Gives root's rights up for good in favour of a directory's owner. */
export function becomeOwnerOf(path: string): void {
  const owner = lesserOwner(path);
  if (owner === undefined) return;
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}
