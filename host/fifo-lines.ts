import { closeSync, constants, writeSync } from 'node:fs';
import { HostError } from './errors.ts';
import { errorCode, nameOf, type OpenFifo, openFifo, PIPE_BUF, readSocket } from './fifo.ts';

/** FIFOs of lines, whose both ends outlive the process at the other. */

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

  const fd = openFifo(path, constants.O_RDWR);
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
  const fd = openFifo(path, constants.O_RDWR);
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
