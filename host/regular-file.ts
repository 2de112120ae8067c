import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { asOwnerOfSync } from './as-owner.ts';
import { HostError, NO_FILE_REMEDY, platformRemedy } from './errors.ts';

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

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

interface RegularFileLimits {
  readonly maxBytes: number;
  /** The user who has to own the file; given by a reader with more rights than those who can write to the directory. */
  readonly owner?: number;
  /** Whether the name may be a symbolic link. */
  readonly link?: boolean;
}

/**
 * Reads a small regular file whole. It never waits: a FIFO or a device under that name is refused, as is a file that
 * is longer than allowed.
 * @returns undefined when there is no file of that name.
 * @throws HostError FILE_UNFIT for what is refused, DISK_IO.
 */
export function readRegularFile(
  path: string,
  { maxBytes, owner, link = false }: RegularFileLimits,
): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NONBLOCK | (link ? 0 : O_NOFOLLOW));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // ELOOP: a symbolic link. ENXIO: a socket, or a device without a driver.
    if (code === 'ELOOP' || code === 'ENXIO') throw unfit(path, NO_FILE, cause);
    throw new HostError('DISK_IO', `cannot open ${path}: ${code}${platformRemedy(code)}`, cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unfit(path, NO_FILE);
    if (owner !== undefined && stat.uid !== owner) {
      throw unfit(
        path,
        `it belongs to user ${stat.uid} and has to belong to user ${owner}: chown ${owner} ${path}`,
      );
    }
    // A file that grows meanwhile is bounded too.
    const bytes = Buffer.alloc(Math.min(stat.size, maxBytes) + 1);
    const length = readWhole(fd, bytes);
    if (stat.size > maxBytes || length > maxBytes) throw unfit(path, `it is longer than ${maxBytes} bytes`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function readWhole(fd: number, bytes: Buffer): number {
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(fd, bytes, length, bytes.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return length;
}

const NO_FILE = `it is no regular file; ${NO_FILE_REMEDY}`;
const unfit = (path: string, why: string, cause?: unknown) =>
  new HostError('FILE_UNFIT', `cannot read ${path}: ${why}`, cause);
