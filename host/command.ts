import { spawnSync } from 'node:child_process';
import { HostError } from './errors.ts';

/**
 * Runs a program of this process's PATH to its end, with `input` on its stdin. One that ends well without having read it
 * all has succeeded: its exit code tells, not the broken pipe.
 * @throws HostError COMMAND_FAILED with what it said on stderr, when it fails or cannot be started
 */
export function runCommand(command: string, args: readonly string[], input = ''): void {
  const { status, signal, stderr, error } = spawnSync(command, args, {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  if (status === 0) return;
  const end = status === null ? (signal ?? error?.message ?? 'without a word') : `exit code ${status}`;
  const said = [`${command} failed (${end})`, ...(stderr?.trim() ? [stderr.trim()] : [])];
  throw new HostError('COMMAND_FAILED', said.join(': '), error);
}
