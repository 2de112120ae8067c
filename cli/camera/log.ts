import pino, { type Logger } from 'pino';
import { openLogger } from '../log.ts';

/** JSON lines on stderr: stdout is for what a command answers. */
export function openLog(level: string, process: string): Logger {
  return openLogger({ level, base: { process }, timestamp: pino.stdTimeFunctions.isoTime }, 2);
}
