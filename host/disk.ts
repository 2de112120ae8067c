import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Owner } from './as-owner.ts';
import { HostError, isFull, NO_FILE_REMEDY, platformRemedy } from './errors.ts';

/**
 * The disk as the rooms see it, passed in so that tests can cut it off at any call. That something is
 * absent or there already is an answer; everything else is a HostError: DISK_FULL when room is wanting
 * (ENOSPC, EDQUOT), DISK_IO for the rest, with the platform's own error as cause.
 */
export interface Disk {
  /**
   * Opens an existing file, without ever waiting; undefined when there is none. To be written to it is no symbolic link.
   * @throws HostError FILE_UNFIT too, for a FIFO, a directory, or such a link.
   */
  open(path: string, access: 'read' | 'write'): Promise<DiskFile | undefined>;
  /** Creates a file and opens it for writing; undefined when the name is taken. Root's belongs to its directory's owner. */
  create(path: string, mode: number): Promise<DiskFile | undefined>;
  /** Puts `from` in the place of `to`, at once: there is never a moment without a `to`. */
  rename(from: string, to: string): Promise<void>;
  /** False when there was none. */
  unlink(path: string): Promise<boolean>;
  /** Creates one directory in an existing one; false when it is there already. Root's belongs to that one's owner. */
  makeDirectory(path: string, mode: number): Promise<boolean>;
  /** False when it is absent or not empty. */
  removeDirectory(path: string): Promise<boolean>;
  /** Names in a directory, sorted; undefined when there is no such directory. */
  list(path: string): Promise<string[] | undefined>;
  /** Of the name itself, no symbolic link being followed; undefined when there is nothing of that name. */
  stat(path: string): Promise<{ readonly bytes: number; readonly directory: boolean } | undefined>;
  /** Bytes that an unprivileged process can still write to the file system holding `path`. */
  freeBytes(path: string): Promise<number>;
  /** Makes the names in a directory durable: creations, renames and removals before this call (fsync). */
  syncDirectory(path: string): Promise<void>;
}

export interface DiskFile {
  /** Writes all of `bytes` from byte `position` on. After an error any part of it may have been written. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Up to `length` bytes from byte `position` on; fewer only at the end of the file. */
  read(length: number, position: number): Promise<Uint8Array>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  /** Makes content and length durable (fdatasync); not the name, for which see Disk.syncDirectory. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The machine's disk. */
export const systemDisk: Disk = {
  open(path, access) {
    const flags = access === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_NOFOLLOW;
    return answered(`open ${path}`, ['ENOENT', 'ENOTDIR'], undefined, async () => {
      const handle = await openFile(path, flags | constants.O_NONBLOCK);
      const stats = await handle.stat();
      if (!stats.isFIFO() && !stats.isDirectory()) return new SystemFile(handle, path);
      await handle.close();
      throw new HostError('FILE_UNFIT', noFile(path));
    });
  },
  create(path, mode) {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    return answered(`create ${path}`, ['EEXIST'], undefined, async () => {
      const handle = await fs.open(path, flags, mode);
      // What others are to read they can, under a umask too that keeps all else from them.
      if ((mode & 0o077) !== 0) await handle.chmod(mode);
      const owner = await newOwner(path);
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      return new SystemFile(handle, path);
    });
  },
  rename: (from, to) => attempt(`rename ${from}`, () => fs.rename(from, to)),
  unlink: (path) =>
    answered(`unlink ${path}`, ['ENOENT', 'ENOTDIR'], false, async () => {
      await fs.unlink(path);
      return true;
    }),
  makeDirectory: (path, mode) =>
    answered(`create directory ${path}`, ['EEXIST'], false, async () => {
      await fs.mkdir(path, { mode });
      const owner = await newOwner(path);
      if (owner === undefined) return true;
      const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        await handle.chown(owner.uid, owner.gid);
      } finally {
        await handle.close();
      }
      return true;
    }),
  removeDirectory: (path) =>
    answered(`remove directory ${path}`, ['ENOENT', 'ENOTEMPTY', 'EEXIST'], false, async () => {
      await fs.rmdir(path);
      return true;
    }),
  list: (path) =>
    answered(`list ${path}`, ['ENOENT', 'ENOTDIR'], undefined, async () => (await fs.readdir(path)).sort()),
  stat: (path) =>
    answered(`stat ${path}`, ['ENOENT', 'ENOTDIR'], undefined, async () => {
      const stats = await fs.lstat(path);
      return { bytes: stats.size, directory: stats.isDirectory() };
    }),
  freeBytes: (path) =>
    attempt(`measure the free space of ${path}`, async () => {
      const { bavail, bsize } = await fs.statfs(path);
      return bavail * bsize;
    }),
  syncDirectory: (path) =>
    attempt(`sync directory ${path}`, async () => {
      const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }),
};

const noFile = (path: string) => `cannot open ${path}: it is no file; ${NO_FILE_REMEDY}`;

/**
 * To whom root gives what it has made at `path` and holds open: the owner of the directory, if that is another. What is
 * made in there at once is made with that owner's rights instead (as-owner.ts); here others wait for the disk too.
 */
async function newOwner(path: string): Promise<Owner | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const { uid, gid } = await fs.stat(dirname(path));
  return uid === 0 ? undefined : { uid, gid };
}

async function openFile(path: string, flags: number): Promise<fs.FileHandle> {
  try {
    return await fs.open(path, flags);
  } catch (cause) {
    // A directory, opened to be written to; a symbolic link where none is followed; a socket.
    if (!['EISDIR', 'ELOOP', 'ENXIO'].includes(platformCode(cause))) throw cause;
    throw new HostError('FILE_UNFIT', noFile(path), cause);
  }
}

class SystemFile implements DiskFile {
  readonly #handle: fs.FileHandle;
  readonly #path: string;

  constructor(handle: fs.FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return attempt(`write ${this.#path}`, async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
        if (bytesWritten === 0) throw new Error('nothing was written');
        done += bytesWritten;
      }
    });
  }

  read(length: number, position: number): Promise<Uint8Array> {
    return attempt(`read ${this.#path}`, async () => {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await this.#handle.read(bytes, done, length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    });
  }

  truncate(length: number): Promise<void> {
    return attempt(`truncate ${this.#path}`, () => this.#handle.truncate(length));
  }

  size(): Promise<number> {
    return attempt(`stat ${this.#path}`, async () => (await this.#handle.stat()).size);
  }

  sync(): Promise<void> {
    return attempt(`sync ${this.#path}`, () => this.#handle.datasync());
  }

  close(): Promise<void> {
    return attempt(`close ${this.#path}`, () => this.#handle.close());
  }
}

async function attempt<T>(what: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw diskError(what, error);
  }
}

/** Like `attempt`, but the platform's codes named are no failures: they mean `answer`. */
async function answered<T, A>(
  what: string,
  codes: readonly string[],
  answer: A,
  operation: () => Promise<T>,
): Promise<T | A> {
  try {
    return await operation();
  } catch (error) {
    if (codes.includes(platformCode(error))) return answer;
    throw diskError(what, error);
  }
}

function diskError(what: string, cause: unknown): HostError {
  if (cause instanceof HostError) return cause;
  const code = platformCode(cause);
  const why = `cannot ${what}: ${code || 'failed'}${platformRemedy(code)}`;
  return new HostError(isFull(cause) ? 'DISK_FULL' : 'DISK_IO', why, cause);
}

function platformCode(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
