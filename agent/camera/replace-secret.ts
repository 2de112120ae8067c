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
    await old?.write(new Uint8Array(await old.size()), 0);
    await old?.sync();
  } finally {
    await old?.close();
  }
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
