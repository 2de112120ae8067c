import { dirname, join } from 'node:path';
import { TEMPORARY_SUFFIX, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk, DiskFile } from '../../host/disk.ts';
import type { CameraDirectory } from './camera-directory.ts';

/**
 * As writeFileAtomic, for a file that holds a secret: what it held before is then overwritten with zeros, durably. A
 * crash in between leaves the old bytes in a place that no name leads to.
 */
export async function replaceSecret(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  mode: number,
): Promise<void> {
  const old = await openOld(disk, path);
  try {
    await writeFileAtomic(disk, path, bytes, mode);
    if (old !== undefined) await overwriteSecret(old);
  } finally {
    await old?.close();
  }
}

/** No file of a camera's that holds a secret is longer, bytes. */
const MAX_SECRET_BYTES = 64 * 1024;

/**
 * Overwrites a file that holds a secret with zeros, durably. Of one that is longer than any secret only the beginning:
 * the directory's owner may have laid it down to use up the memory and the disk.
 */
async function overwriteSecret(file: DiskFile): Promise<void> {
  await file.write(new Uint8Array(Math.min(await file.size(), MAX_SECRET_BYTES)), 0);
  await file.sync();
}

/** Undefined too where something else than a file lies, which is replaced without more ado. */
async function openOld(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'write');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'FILE_UNFIT') return undefined;
    throw error;
  }
}

/**
 * Makes a camera forget all it was, in an order that leaves no camera behind wherever it is cut off: without
 * camera.json there is none, and the next erasure or set-up goes on where this one ended. Keys and passwords are
 * overwritten before they are removed; on flash that reaches the sectors only as far as its controller lets it. The
 * run directory stays: an agent may be waiting in it to be set up.
 * @returns whether there was anything to erase.
 */
export async function eraseCamera(directory: CameraDirectory, disk: Disk): Promise<boolean> {
  const { config, deviceKey, pairing, wifi } = directory;
  let erased = await takeAway(disk, config);
  for (const secret of [config, deviceKey, pairing, wifi]) {
    for (const path of [secret, secret + TEMPORARY_SUFFIX]) erased = (await shred(disk, path)) || erased;
  }
  const { request, certificate, policy, pins, pinsInbox, state, dayKeys, trustedTime, account, gaps } =
    directory;
  for (const path of [
    request,
    certificate,
    policy,
    pins,
    pinsInbox,
    state,
    dayKeys,
    trustedTime,
    account,
    gaps,
  ]) {
    erased = (await removeTree(disk, path)) || erased;
    await removeTree(disk, path + TEMPORARY_SUFFIX);
  }
  erased = (await removeTree(disk, directory.spool)) || erased;
  await disk.syncDirectory(directory.path);
  return erased;
}

/** Takes the name from a file that may hold a password, so that it is whole or gone while it is overwritten. */
async function takeAway(disk: Disk, path: string): Promise<boolean> {
  const aside = path + TEMPORARY_SUFFIX;
  const left = await shred(disk, aside);
  if ((await disk.stat(path)) === undefined) return left;
  await disk.rename(path, aside);
  await disk.syncDirectory(dirname(path));
  return true;
}

/** Overwrites a file with zeros, durably, and removes it. False when there was none. */
export async function shred(disk: Disk, path: string): Promise<boolean> {
  let file: DiskFile | undefined;
  try {
    file = await disk.open(path, 'write');
  } catch (error) {
    // What is no file holds no secret, and may be there to keep us waiting.
    if ((error as { code?: unknown }).code !== 'FILE_UNFIT') throw error;
    return removeTree(disk, path);
  }
  if (file === undefined) return false;
  try {
    await overwriteSecret(file);
  } finally {
    await file.close();
  }
  await disk.unlink(path);
  await disk.syncDirectory(dirname(path));
  return true;
}

/** Removes a file, a symbolic link, or a directory with all that is in it. False when there was none. */
export async function removeTree(disk: Disk, path: string): Promise<boolean> {
  const found = await disk.stat(path);
  if (found === undefined) return false;
  if (!found.directory) return disk.unlink(path);
  for (const name of (await disk.list(path)) ?? []) await removeTree(disk, join(path, name));
  return disk.removeDirectory(path);
}
