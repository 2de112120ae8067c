import { ENDING_SIGNALS, ignoreTerminal, outliveReaders, stopSignal } from '../signals.ts';

/**
 * Aborts when this role is to end. Under a launcher Ctrl-C and the end of the terminal are the launcher's to act on,
 * which ends capture before the agent.
 */
export function stopRole(tethered: boolean): AbortSignal {
  outliveReaders();
  if (!tethered) return stopSignal(ENDING_SIGNALS);
  ignoreTerminal();
  return stopSignal(['SIGTERM']);
}
