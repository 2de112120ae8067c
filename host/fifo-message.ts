import { Socket } from 'node:net';
import { HostError } from './errors.ts';
import { openFifoReader, openFifoWriteEnd } from './fifo.ts';

/** FIFOs that carry one message after another, each from the opening of its write end to the end of it. */

/** As much as a pipe holds by default. */
const MESSAGE_READ_BYTES = 64 * 1024;

/** A message that goes through a FIFO, one way or the other. */
export interface FifoMessage {
  /** Gives it up: the other side sees a broken pipe, or the end of a file too short. */
  cancel(): void;
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
