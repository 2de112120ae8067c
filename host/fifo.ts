import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { HostError } from './errors.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** POSIX PIPE_BUF on Linux, in bytes: a write of at most this much is whole or refused, never torn. */
export const PIPE_BUF = 4096;

/** As much as a pipe holds by default. */
const MESSAGE_READ_BYTES = 64 * 1024;
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

/** Lines from a FIFO that outlives every writer. */
export interface FifoLines extends OpenFifo {
  close(): void;
}

export interface FifoLinesOptions {
  /** Longest line in bytes, without its end; a longer one is dropped up to its end. */
  maxBytes: number;
  onLine(line: string): void;
  onOverlong(): void;
}

/** The write end of a FIFO of lines. */
export interface FifoWriter extends OpenFifo {
  /** Writes the whole line or nothing; false when the FIFO is full. The line is at most {@link PIPE_BUF} bytes. */
  write(line: string): boolean;
  close(): void;
}

/** A message that goes through a FIFO, one way or the other. */
export interface FifoMessage {
  /** Gives it up: the other side sees a broken pipe, or the end of a file too short. */
  cancel(): void;
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
 * Reads lines for as long as it is open: it holds a write end itself, so it never sees the end of the file.
 * @throws HostError DISK_IO when the path is missing or no FIFO
 */
export function openFifoLines(path: string, options: FifoLinesOptions): FifoLines {
  const line = Buffer.alloc(options.maxBytes);
  let length = 0;
  let overlong = false;

  const append = (part: Uint8Array) => {
    if (overlong || length + part.length > line.length) {
      overlong = true;
      return;
    }
    line.set(part, length);
    length += part.length;
  };
  const finish = () => {
    const text = overlong ? null : line.toString('utf8', 0, length);
    length = 0;
    overlong = false;
    if (text === null) {
      options.onOverlong();
    } else {
      options.onLine(text);
    }
  };

  const fd = openFifo(path, O_RDWR);
  const isNamed = nameOf(fd, path);
  const socket = readSocket(fd, Buffer.alloc(PIPE_BUF), (chunk) => {
    let start = 0;
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, start)) {
      append(chunk.subarray(start, at));
      finish();
      start = at + 1;
    }
    append(chunk.subarray(start));
  });
  socket.resume();
  return { isNamed, close: () => socket.destroy() };
}

/**
 * Opens the write end of a FIFO of lines. It holds a read end itself, so what is written waits for a reader
 * that comes later, and a reader that dies raises nothing.
 * @throws HostError DISK_IO when the path is missing or no FIFO
 */
export function openFifoWriter(path: string): FifoWriter {
  const fd = openFifo(path, O_RDWR);
  return {
    isNamed: nameOf(fd, path),
    write(line) {
      const bytes = Buffer.from(line);
      if (bytes.length > PIPE_BUF) {
        throw new RangeError(`a line of ${bytes.length} bytes could be torn (limit ${PIPE_BUF})`);
      }
      try {
        writeSync(fd, bytes);
        return true;
      } catch (cause) {
        if (errorCode(cause) === 'EAGAIN') {
          return false;
        }
        throw new HostError('DISK_IO', `cannot write FIFO ${path}`, cause);
      }
    },
    close: () => closeSync(fd),
  };
}

/**
 * Sends a message whole and closes the FIFO, so that its reader sees where it ends; null when nobody reads. Nobody waits
 * for a reader that has stopped: what it does not take stays in memory until the message is cancelled.
 * @param onDone once, unless cancelled: sent, or the reader went away.
 * @throws HostError DISK_IO when the path is missing or no FIFO
 */
export function sendFifoMessage(
  path: string,
  bytes: Uint8Array,
  onDone: (error: HostError | undefined) => void,
): FifoMessage | null {
  const fd = openFifoWriteEnd(path);
  if (fd === null) return null;
  const socket = new Socket({ fd, readable: false, writable: true });
  let settled = false;
  const settle = (cause?: Error | null) => {
    if (settled) return;
    settled = true;
    socket.destroy();
    onDone(cause ? new HostError('DISK_IO', `cannot write FIFO ${path}`, cause) : undefined);
  };
  socket.on('error', settle);
  socket.end(bytes, settle);
  return {
    cancel() {
      settled = true;
      socket.destroy();
    },
  };
}

/**
 * Waits for one message: all that comes until the last writer is gone.
 * @param onMessage once, unless cancelled; undefined when it was longer than `maxBytes`, or reading failed.
 * @throws HostError DISK_IO when the path is missing or no FIFO
 */
export function receiveFifoMessage(
  path: string,
  maxBytes: number,
  onMessage: (bytes: Uint8Array | undefined) => void,
): FifoMessage {
  const chunks: Buffer[] = [];
  let length = 0;
  const reader = openFifoReader(path, {
    buffer: Buffer.alloc(MESSAGE_READ_BYTES),
    onBytes(chunk) {
      const before = length;
      length += chunk.length;
      if (length <= maxBytes) {
        chunks.push(Buffer.from(chunk));
      } else if (before <= maxBytes) {
        reader.close();
        onMessage(undefined);
      }
    },
    onEnd: (error) => onMessage(error === undefined ? Buffer.concat(chunks) : undefined),
  });
  return { cancel: () => reader.close() };
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
function openFifo(path: string, access: number): number {
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
function nameOf(fd: number, path: string): () => boolean {
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

function readSocket(fd: number, buffer: Buffer, onBytes: (chunk: Buffer) => void): Socket {
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

function errorCode(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
