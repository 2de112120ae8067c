import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const SCRIPT = join(resolve(import.meta.dirname, '../..'), 'scripts/debian-tree');

/** Runs a command as root, as a chroot needs it. @returns what it said. @throws when it fails. */
export function asRoot(...command: readonly string[]): string {
  const [program = '', ...args] = process.getuid?.() === 0 ? command : ['sudo', ...command];
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/**
 * Copies a bare Debian (minbase) that all tests share: half a minute for each suite and layer that nobody has asked for
 * in this run, else a second.
 * @param to a directory that is not there yet.
 * @param layers lists of packages, each on top of the one before; what begins alike is made once.
 */
export function copyDebian(to: string, suite: 'bookworm' | 'trixie', ...layers: readonly string[][]): void {
  const tree = asRoot(SCRIPT, suite, ...layers.map((packages) => packages.join(' '))).trim();
  asRoot('cp', '-a', '--reflink=auto', tree, to);
}
