import pino, { type Logger, type LoggerOptions } from 'pino';
import { inLog } from '../host/in-log.ts';
import { logDestination } from './log-destination.ts';

/** Characters: enough for what ffmpeg or a disk says. */
const MOST_OF_A_FIELD = 1_000;

/** A logger of JSON lines that says how many of them were dropped for want of room. */
export function openLogger(options: LoggerOptions, fd: number): Logger {
  const destination = logDestination(fd);
  const logger = pino({ ...options, formatters: { log: inLogFields } }, destination);
  destination.tellDropped((lines) => logger.warn({ lines }, 'log lines were dropped: nothing took them'));
  return logger;
}

/** Peers, cameras and ffmpeg choose what stands in many fields, not how long a line gets. */
function inLogFields(fields: Record<string, unknown>): Record<string, unknown> {
  const cut = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? inLog(value, MOST_OF_A_FIELD) : value,
  ]);
  return Object.fromEntries(cut);
}
