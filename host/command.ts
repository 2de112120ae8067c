import { spawnSync } from 'node:child_process';
import { HostError } from './errors.ts';

/** Debian's packages, where they are called otherwise than what they bring. */
const PACKAGES: Readonly<Record<string, string>> = { nft: 'nftables', systemctl: 'systemd' };

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
  if ((error as { code?: unknown } | undefined)?.code === 'ENOENT') {
    const way = `apt-get install ${PACKAGES[command] ?? command}, with its directory in PATH`;
    throw new HostError('COMMAND_FAILED', `${command} cannot be run: ${way}`, error);
  }
  const end = status === null ? (signal ?? error?.message ?? 'without a word') : `exit code ${status}`;
  const said = [`${command} failed (${end})`, ...(stderr?.trim() ? [stderr.trim()] : [])];
  throw new HostError('COMMAND_FAILED', said.join(': '), error);
}
