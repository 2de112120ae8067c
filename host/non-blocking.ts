import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';

const WRITING = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY;

/** Sockets over descriptors that were made non-blocking: closing one would close the descriptor. */
const kept = new Set<Socket>();

/**
 * A descriptor for what `fd` leads to that never makes its writer wait: a write to a pipe, socket or terminal without
 * room fails with EAGAIN, so that a reader who has stopped holds up nobody. (O_NONBLOCK, which Node sets by way of
 * opening or of a socket alone.) A pipe or terminal is opened once more where its owner allows that, since the flag belongs to
 * all who share an open file; otherwise it is set on the one there is.
 * @returns `fd` itself for a file, and for what cannot be opened again.
 */
export function nonBlocking(fd: number): number {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || isatty(fd)) {
    try {
      return openSync(`/proc/self/fd/${fd}`, WRITING);
    } catch {
      // EACCES: another user's. ENXIO: its reader is gone.
    }
  }
  if (stat.isFIFO() || stat.isSocket()) kept.add(new Socket({ fd, readable: false, writable: true }));
  return fd;
}

/** @returns whether all of it was written. */
export function tryWrite(fd: number, text: string): boolean {
  try {
    return writeSync(fd, text) === Buffer.byteLength(text);
  } catch {
    return false;
  }
}
