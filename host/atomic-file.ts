import { dirname } from 'node:path';
import type { Disk } from './disk.ts';

/** What the temporary files of writeFileAtomic end in: left over by a crash, they may be removed unread. */
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * Gives `path` the content `bytes`, durably, so that at every moment and after any crash the name leads to
 * the whole old content or the whole new one: written beside it, synced, renamed, the directory synced.
 * Two at once for the same path are not allowed.
 * @throws HostError; the old content then still stands, or the new one does and may not be durable.
 */
export async function writeFileAtomic(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  mode: number,
): Promise<void> {
  await replaceFiles(disk, [{ path, bytes }], mode);
}

/**
 * As writeFileAtomic, for files of one directory that belong together: none is replaced before there is room for all.
 * A crash may leave the first ones new and the others old.
 */
export async function replaceFiles(
  disk: Disk,
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[],
  mode: number,
): Promise<void> {
  for (const { path, bytes } of files) await writeTemporary(disk, path + TEMPORARY_SUFFIX, bytes, mode);
  for (const { path } of files) await disk.rename(path + TEMPORARY_SUFFIX, path);
  for (const directory of new Set(files.map(({ path }) => dirname(path))))
    await disk.syncDirectory(directory);
}

async function writeTemporary(disk: Disk, temporary: string, bytes: Uint8Array, mode: number): Promise<void> {
  await disk.unlink(temporary);
  const file = await disk.create(temporary, mode);
  if (file === undefined) throw new Error(`${temporary} is being written by somebody else`);
  try {
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A whole small file, or undefined when there is none or it is longer than `maxBytes`. */
export async function readFileBounded(
  disk: Disk,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const file = await disk.open(path, 'read');
  if (file === undefined) return undefined;
  try {
    const bytes = await file.read(maxBytes + 1, 0);
    return bytes.length > maxBytes ? undefined : bytes;
  } finally {
    await file.close();
  }
}
