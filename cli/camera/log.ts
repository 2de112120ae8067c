import pino, { type Logger } from 'pino';
import { logDestination } from '../log-destination.ts';

/** JSON lines on stderr: stdout is for what a command answers. */
export function openLog(level: string, process: string): Logger {
  return pino({ level, base: { process }, timestamp: pino.stdTimeFunctions.isoTime }, logDestination(2));
}

/**
 * Aborts on the first of the signals, and takes the others for the same wish: one who presses Ctrl-C twice wants the
 * camera to end, not to lose what it holds. Ctrl-C reaches every process of the terminal; only the launcher acts on it.
 */
export function stopSignal(...names: readonly NodeJS.Signals[]): AbortSignal {
  const controller = new AbortController();
  for (const name of names) process.on(name, () => controller.abort(new Error(name)));
  return controller.signal;
}

export function ignoreInterrupt(): void {
  process.on('SIGINT', () => undefined);
}
