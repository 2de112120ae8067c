import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/**
 * Waits for a process's end, or finds that it is over: the event `exit` comes once, and who listens later waits for
 * ever. @returns exit code and signal, one of which is null.
 */
export async function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return [child.exitCode, child.signalCode];
}
