import { join } from 'node:path';
import type { Metadata, Root } from '@tufjs/models';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { OtaError } from '../../ota/errors.ts';
import { METADATA_DIRECTORY, requireDelegate } from '../../ota/repository.ts';
import { type TransferEffects, transfer } from '../../ota/transfer.ts';
import { readRoot } from '../../ota/tuf-metadata.ts';

/** Every root of a repository, which a camera goes through one by one from the root that it was flashed with. */

export const MAX_ROOT_BYTES = 128 * 1024;
/** As many as a camera takes at one check. */
const MAX_ROOTS = 256;
const PACE = { headMs: 30_000, windowMs: 30_000, windowBytes: 4 * 1024 };

export interface RootDocument {
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly root: Metadata<Root>;
}

export interface RootChainOptions extends TransferEffects {
  readonly disk: Disk;
  readonly repository: string;
  /** The newest root, judged. */
  readonly newest: Uint8Array;
  /** Version of the first root that is believed: those before it may be missing. */
  readonly firstVersion: number;
}

/** @returns the roots up to the newest, oldest first. @throws OtaError METADATA_*, FETCH_*; HostError. */
export async function bringRoots(options: RootChainOptions): Promise<RootDocument[]> {
  const { newest, firstVersion } = options;
  const root = readRoot(newest);
  let next: RootDocument = { version: root.signed.version, bytes: newest, root };
  const chain = [next];
  while (next.version > 1 && chain.length < MAX_ROOTS) {
    try {
      next = await rootBefore(options, next);
    } catch (error) {
      if (error instanceof OtaError && next.version <= firstVersion) break;
      throw error;
    }
    chain.unshift(next);
  }
  return chain;
}

async function rootBefore(options: RootChainOptions, next: RootDocument): Promise<RootDocument> {
  const version = next.version - 1;
  const here = await readFileBounded(options.disk, rootPlace(options.repository, version), MAX_ROOT_BYTES);
  if (here !== undefined) {
    try {
      return follow(here, version, next);
    } catch {
      // Damaged on the disk: fetched anew.
    }
  }
  return follow(await fetchRoot(options, version), version, next);
}

/** @throws OtaError METADATA_*. */
function follow(bytes: Uint8Array, version: number, next: RootDocument): RootDocument {
  const root = parseRoot(bytes);
  if (root.signed.version !== version) {
    throw new OtaError('METADATA_OUTDATED', `${version}.root.json is version ${root.signed.version}`);
  }
  requireDelegate(root, 'root', next.root);
  return { version, bytes, root };
}

/** A root of TUF's form that its own keys have signed. @throws OtaError METADATA_MALFORMED, METADATA_UNSIGNED. */
export function parseRoot(bytes: Uint8Array): Metadata<Root> {
  let root: Metadata<Root>;
  try {
    root = readRoot(bytes);
  } catch (cause) {
    throw new OtaError('METADATA_MALFORMED', 'this is no root of TUF', cause);
  }
  requireDelegate(root, 'root', root);
  return root;
}

/** @throws OtaError FETCH_*. */
export async function fetchRoot(effects: TransferEffects, version: number): Promise<Uint8Array> {
  const path = `metadata/${version}.root.json`;
  const limits = { ...PACE, maxBytes: MAX_ROOT_BYTES };
  return transfer(effects, path, undefined, limits, async ({ status, body }) => {
    if (status !== 200) throw new OtaError('FETCH_REFUSED', `${path}: the server answered ${status}`);
    return Buffer.concat(await Array.fromAsync(body));
  });
}

export const rootPlace = (repository: string, version: number) =>
  join(repository, METADATA_DIRECTORY, `${version}.root.json`);
