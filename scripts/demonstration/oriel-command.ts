import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Done, run } from '../simulation/command.ts';

/** The very command a user types. */
export const ORIEL = fileURLToPath(new URL('../../oriel', import.meta.url));

/** Runs `oriel` to its end, which Ctrl-C on the terminal does not hasten; gives its exit code and what it printed. */
export const oriel = (...args: readonly string[]): Promise<Done> => run([ORIEL, ...args]);

/** As `oriel`, for a command that has to succeed. @throws Error with what it printed. */
export async function orielDoes(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await oriel(...args);
  if (code !== 0) throw new Error(`oriel ${args.join(' ')} ended with ${code}:\n${stderr || stdout}`);
  return stdout;
}

const started = new Set<ChildProcess>();

/** Starts `oriel` as a process of its own, logging to a file; Ctrl-C on the terminal does not reach it. */
export function startOriel(logPath: string, ...args: readonly string[]): ChildProcess {
  const log = openSync(logPath, 'a', 0o600);
  const child = spawn(ORIEL, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

/** Asks all that startOriel has started to end, and waits for none. */
export function endStarted(): void {
  for (const child of started) child.kill('SIGTERM');
}

/** Asks a process to end and waits until it has. @returns its exit code. */
export function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve(child.exitCode ?? 1);
      return;
    }
    child.once('exit', (code) => resolve(code ?? 1));
    child.kill(signal);
  });
}
