import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk, DiskFile } from '../../host/disk.ts';

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
export async function overwriteSecret(file: DiskFile): Promise<void> {
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
