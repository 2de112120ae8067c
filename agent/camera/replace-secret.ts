import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';

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
  const old = await disk.open(path, 'write');
  try {
    await writeFileAtomic(disk, path, bytes, mode);
    await old?.write(new Uint8Array(await old.size()), 0);
    await old?.sync();
  } finally {
    await old?.close();
  }
}
