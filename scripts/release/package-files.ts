import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LockedPackage, lockedPackage, ROOT } from './lockfile.ts';

/** Where packages for other architectures are kept: npm does not install them here. */
const CACHE = join(ROOT, 'node_modules/.cache/oriel-release');

/**
 * A directory with a package's content, for whatever architecture: unpacked from its tarball, which has to have the
 * hash that the lockfile gives, and is fetched with npm when it is not there yet.
 */
export function packageDirectory(name: string, progress: (message: string) => void): string {
  const locked = lockedPackage(`node_modules/${name}`);
  const directory = join(CACHE, `${name.replace('/', '+')}-${locked.version}`);
  if (existsSync(directory)) return directory;
  mkdirSync(CACHE, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'oriel-package-'));
  try {
    progress(`fetching ${name} ${locked.version}`);
    const tarball = pack(locked, scratch);
    execFileSync('tar', ['-xzf', tarball, '-C', scratch, '--no-same-owner']);
    const unpacked = mkdtempSync(join(CACHE, 'unpacking-'));
    execFileSync('cp', ['-R', `${join(scratch, 'package')}/.`, unpacked]);
    renameSync(unpacked, directory);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return directory;
}

function pack(locked: LockedPackage, scratch: string): string {
  const wanted = `${locked.name}@${locked.version}`;
  const args = [
    'pack',
    wanted,
    '--pack-destination',
    scratch,
    '--json',
    '--ignore-scripts',
    '--loglevel=error',
  ];
  const output = execFileSync('npm', args, {
    cwd: scratch,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [{ filename = '' } = {}] = JSON.parse(output) as { filename?: string }[];
  const tarball = join(scratch, filename);
  checkIntegrity(wanted, readFileSync(tarball), locked.integrity);
  return tarball;
}

/** @throws when a tarball is not the one of the lockfile. */
export function checkIntegrity(what: string, tarball: Uint8Array, integrity: string): void {
  const found = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  if (found !== integrity)
    throw new Error(`${what} is not the package of package-lock.json: its hash is ${found}`);
}
