import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** What package-lock.json says: the version of each package, its SHA-512 and its licence. */

export const ROOT = resolve(import.meta.dirname, '../..');

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** `sha512-` and base64 (W3C Subresource Integrity), of the tarball. */
  readonly integrity: string;
  readonly license: string | undefined;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { version?: string; integrity?: string; license?: string }>>;
}

const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lockfile;

/** @param path below the root, `node_modules/…`. */
export function lockedPackage(path: string): LockedPackage {
  const { version, integrity, license } = packages[path] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json has no ${path}`);
  return {
    name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    version,
    integrity,
    license,
  };
}

/** The place in the lockfile of the package that a source file belongs to; undefined for Oriel's own. */
export function packageOf(source: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(source)?.[0];
}
