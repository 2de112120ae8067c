import pino from 'pino';
import { escapedJson } from './text.ts';

/** Where JSON lines of a log go, fit for a terminal: they quote what cameras and servers say. */
export function logDestination(fd: number): { write(line: string): void } {
  const out = pino.destination({ dest: fd, sync: true });
  return { write: (line) => void out.write(escapedJson(line)) };
}
