import pino from 'pino';
import { nonBlocking } from '../host/non-blocking.ts';
import { escapedJson } from '../text/printable.ts';

/** What waits for room, bytes; lines beyond it are dropped. */
const MAX_WAITING_BYTES = 64 * 1024;
/** PIPE_BUF: as much as goes into a pipe whole or not at all, so that processes that share one tear no line. */
const MAX_WRITE_BYTES = 4096;
/** After a write that failed, ms. */
const RETRY_MS = 1_000;

/** Where the lines of a log go. */
export interface LogDestination {
  /** Never throws and never waits. */
  write(line: string): void;
  /** @param say told, once there is room again, how many lines were dropped. */
  tellDropped(say: (lines: number) => void): void;
}

const opened = new Map<number, LogDestination>();

/**
 * Where JSON lines of a log go, fit for a terminal: they quote what cameras and servers say. A log is not worth the
 * work that it tells of: what a full disk, a closed pipe or a reader that has stopped does not take waits within a bound,
 * and beyond it is dropped and counted.
 */
export function logDestination(fd: number): LogDestination {
  const destination = opened.get(fd) ?? openDestination(fd);
  opened.set(fd, destination);
  return destination;
}

function openDestination(fd: number): LogDestination {
  const out = pino.destination({
    dest: nonBlocking(fd),
    sync: true,
    // Without it a flush does nothing.
    minLength: 1,
    maxLength: MAX_WAITING_BYTES,
    maxWrite: MAX_WRITE_BYTES,
    retryEAGAIN: () => false,
  });
  let dropped = 0;
  let waiting = false;
  let say: (lines: number) => void = () => undefined;
  // pino's own listener throws what is not EPIPE, and writes nothing any more after that.
  out.removeAllListeners('error');
  out.on('error', () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      out.flush();
    }, RETRY_MS).unref();
  });
  out.on('drop', () => {
    dropped += 1;
  });
  out.on('drain', () => {
    const lines = dropped;
    dropped = 0;
    if (lines > 0) say(lines);
  });
  return {
    write: (line) => void out.write(escapedJson(line)),
    tellDropped(tell) {
      say = tell;
    },
  };
}
