import pino, { type Logger, type LoggerOptions } from 'pino';
import { logDestination } from './log-destination.ts';

/** A logger of JSON lines that says how many of them were dropped for want of room. */
export function openLogger(options: LoggerOptions, fd: number): Logger {
  const destination = logDestination(fd);
  const logger = pino(options, destination);
  destination.tellDropped((lines) => logger.warn({ lines }, 'log lines were dropped: nothing took them'));
  return logger;
}
