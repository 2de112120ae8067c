import { fromUtf8, utf8 } from '../../crypto/bytes.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';

/** How a command asks the running server for a check: a file with the request's id, which the server takes. */

const MAX_REQUEST_BYTES = 64;
const ID = /^[0-9a-f]{16}$/;

/** Readable by the server, no matter who runs the command. @param id 16 hex digits. @throws HostError. */
export function layRequest(disk: Disk, path: string, id: string): Promise<void> {
  return writeFileAtomic(disk, path, utf8(id), 0o644);
}

/** Removes it before it is done: a request that ends the server is not met again. @throws HostError. */
export async function takeRequest(disk: Disk, path: string): Promise<string | undefined> {
  const bytes = await readFileBounded(disk, path, MAX_REQUEST_BYTES);
  if (bytes === undefined) return undefined;
  await disk.unlink(path);
  const id = fromUtf8(bytes);
  return ID.test(id) ? id : undefined;
}
