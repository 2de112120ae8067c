import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { HostError } from './errors.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** POSIX PIPE_BUF on Linux, in bytes: a write of at most this much is whole or refused, never torn. */
export const PIPE_BUF = 4096;

/** As much as one may hold (`/proc/sys/fs/pipe-max-size`). */
const MOST_PIPE_BYTES = 1024 * 1024;

/** An open FIFO. */
export interface OpenFifo {
  /** Whether its path still leads to it; false once it was removed or replaced. */
  isNamed(): boolean;
}

/** One opening of a FIFO's read end, from the first writer to the end of the last. */
export interface FifoReader extends OpenFifo {
  pause(): void;
  resume(): void;
  /** Reads what it holds by now, without waiting for more; on an error nothing more. */
  drain(): void;
  /** Gives the read end up: writers get EPIPE. `onEnd` is not called any more. */
  close(): void;
}

export interface FifoReaderOptions {
  /** Every read lands here; reused, so `onBytes` must be done with a chunk when it returns. */
  buffer: Buffer;
  onBytes(chunk: Uint8Array): void;
  /** Once: the last writer is gone (`error` undefined), or reading failed. The read end is closed already. */
  onEnd(error: HostError | undefined): void;
}

/**
 * Makes a FIFO (mkfifo(1): Node has no call for it).
 * @throws HostError DISK_IO
 */
export function makeFifo(path: string, mode = 0o600): void {
  const made = spawnSync('mkfifo', ['-m', mode.toString(8), '--', path], { encoding: 'utf8' });
  if (made.status !== 0) {
    throw new HostError('DISK_IO', `cannot make FIFO ${path}: ${made.stderr ?? ''}`.trim(), made.error);
  }
}

/**
 * Opens the read end without waiting for a writer; bytes come once there is one.
 * @throws HostError DISK_IO when the path is missing or no FIFO
 */
export function openFifoReader(path: string, options: FifoReaderOptions): FifoReader {
  const fd = openFifo(path, O_RDONLY);
  const isNamed = nameOf(fd, path);
  const socket = readSocket(fd, options.buffer, options.onBytes);
  let closed = false;
  const end = (error?: HostError) => {
    if (closed) {
      return;
    }
    closed = true;
    socket.destroy();
    options.onEnd(error);
  };
  socket.on('end', () => end());
  socket.on('error', (cause) => end(new HostError('DISK_IO', `cannot read FIFO ${path}`, cause)));
  socket.resume();
  return {
    isNamed,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    drain() {
      if (!closed) drainFifo(fd, options);
    },
    close() {
      closed = true;
      socket.destroy();
    },
  };
}

/**
 * A write end to hand to a child as its stdin, stdout or stderr (libuv takes O_NONBLOCK off those), or null when
 * nobody reads. The caller closes it after the spawn; closing the last one ends the reader's file.
 * @throws HostError DISK_IO when the path is missing or no FIFO
 */
export function openFifoWriteEnd(path: string): number | null {
  try {
    return openFifo(path, O_WRONLY);
  } catch (error) {
    if (error instanceof HostError && errorCode(error.cause) === 'ENXIO') {
      return null;
    }
    throw error;
  }
}

/** O_NONBLOCK: opening a FIFO otherwise waits for the other end, and the whole event loop with it. */
export function openFifo(path: string, access: number): number {
  let fd: number;
  try {
    fd = openSync(path, access | O_NONBLOCK | O_NOFOLLOW);
  } catch (cause) {
    throw new HostError('DISK_IO', `cannot open FIFO ${path}`, cause);
  }
  if (!fstatSync(fd).isFIFO()) {
    closeSync(fd);
    throw new HostError('DISK_IO', `${path} is not a FIFO`);
  }
  return fd;
}

/** A writer may go on meanwhile: no more is read than a FIFO can hold. */
function drainFifo(fd: number, { buffer, onBytes }: FifoReaderOptions): void {
  for (let left = MOST_PIPE_BYTES; left > 0; ) {
    let length: number;
    try {
      length = readSync(fd, buffer);
    } catch {
      // EAGAIN: it is empty.
      return;
    }
    if (length === 0) return;
    onBytes(buffer.subarray(0, length));
    left -= length;
  }
}

/** While it is open its inode is nobody else's. */
export function nameOf(fd: number, path: string): () => boolean {
  const { dev, ino } = fstatSync(fd);
  return () => {
    try {
      const now = lstatSync(path);
      return now.dev === dev && now.ino === ino;
    } catch {
      return false;
    }
  };
}

export function readSocket(fd: number, buffer: Buffer, onBytes: (chunk: Buffer) => void): Socket {
  return new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback: (size) => {
        onBytes(buffer.subarray(0, size));
        return true;
      },
    },
  });
}

export function errorCode(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
