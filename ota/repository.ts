import { join } from 'node:path';
import type { Metadata, Root, Targets } from '@tufjs/models';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { OtaError } from './errors.ts';
import {
  type Edition,
  readRoot,
  readSnapshot,
  readTargets,
  readTimestamp,
  ringOf,
  type TopRole,
} from './tuf-metadata.ts';

/**
 * The maker's repository: a directory of static files. What is to change is first written below `pending`, where the
 * offline keys sign it, on other machines perhaps; `finish` puts it into force, the timestamp last, so that whoever
 * reads at any moment finds one whole edition.
 */

export const METADATA_DIRECTORY = 'metadata';
export const TARGETS_DIRECTORY = 'targets';
export const PENDING_DIRECTORY = 'pending';
export const MAX_METADATA_BYTES = 1024 * 1024;
const DAY_MS = 86_400_000;
export const FILE_MODE = 0o644;

/** How long each role's documents last, days. */
export const LIFETIME_DAYS: Readonly<Record<TopRole, number>> = {
  root: 730,
  targets: 365,
  snapshot: 30,
  timestamp: 30,
};

export interface Repository {
  readonly disk: Disk;
  readonly directory: string;
}

/** What is in force. */
export interface InForce {
  readonly root: Metadata<Root>;
  /** Undefined before the first release. */
  readonly targets: Metadata<Targets> | undefined;
  readonly snapshotVersion: number;
  readonly timestampVersion: number;
  /** When the timestamp is expired, ISO 8601; undefined before the first release. */
  readonly timestampExpires: string | undefined;
}

/** Makes a repository of a first root. @throws OtaError METADATA_UNSIGNED; HostError. */
export async function beginRepository({ disk, directory }: Repository, root: Uint8Array): Promise<void> {
  requireDelegate(readRoot(root), 'root', readRoot(root));
  for (const name of ['', METADATA_DIRECTORY, TARGETS_DIRECTORY, PENDING_DIRECTORY]) {
    await disk.makeDirectory(join(directory, name), 0o755);
  }
  await writeFileAtomic(disk, join(directory, METADATA_DIRECTORY, '1.root.json'), root, FILE_MODE);
}

/** @throws OtaError METADATA_MALFORMED when there is no repository, or a document of it is missing. */
export async function readInForce(repository: Repository): Promise<InForce> {
  const root = await newestRoot(repository);
  const timestampBytes = await readMetadata(repository, 'timestamp.json');
  if (timestampBytes === undefined) {
    return {
      root,
      targets: undefined,
      snapshotVersion: 0,
      timestampVersion: 0,
      timestampExpires: undefined,
    };
  }
  const timestamp = readTimestamp(timestampBytes).signed;
  const snapshotVersion = timestamp.snapshotMeta.version;
  const snapshot = readSnapshot(await requireMetadata(repository, `${snapshotVersion}.snapshot.json`)).signed;
  const targetsVersion = snapshot.meta['targets.json']?.version;
  const targets = readTargets(await requireMetadata(repository, `${targetsVersion}.targets.json`));
  return {
    root,
    targets,
    snapshotVersion,
    timestampVersion: timestamp.version,
    timestampExpires: timestamp.expires,
  };
}

async function newestRoot(repository: Repository): Promise<Metadata<Root>> {
  let newest: Uint8Array | undefined;
  for (let version = 1; ; version++) {
    const next = await readMetadata(repository, `${version}.root.json`);
    if (next === undefined) break;
    newest = next;
  }
  if (newest === undefined) {
    throw new OtaError(
      'METADATA_MALFORMED',
      `${repository.directory} holds no repository: give the directory that holds metadata/, or make one: oriel release publish`,
    );
  }
  return readRoot(newest);
}

/**
 * The roots of a repository, each signed by the keys of the one before it and by its own (The Update Framework 5.3).
 * @param trusted where to begin; the repository's first root if not given.
 * @returns the root to begin with, and those that follow it.
 * @throws OtaError METADATA_UNSIGNED, METADATA_OUTDATED, METADATA_MALFORMED; HostError.
 */
export async function rootsFrom(
  repository: Repository,
  trusted: Metadata<Root> | undefined,
): Promise<Metadata<Root>[]> {
  let newest = trusted ?? readRoot(await requireMetadata(repository, '1.root.json'));
  requireDelegate(newest, 'root', newest);
  const roots = [newest];
  for (;;) {
    const bytes = await readMetadata(repository, `${newest.signed.version + 1}.root.json`);
    if (bytes === undefined) return roots;
    newest = checkRoot(newest, readRoot(bytes));
    roots.push(newest);
  }
}

/** A root that may follow another. @throws OtaError METADATA_OUTDATED, METADATA_UNSIGNED. */
export function checkRoot(current: Metadata<Root>, next: Metadata<Root>): Metadata<Root> {
  if (next.signed.version !== current.signed.version + 1) {
    throw new OtaError('METADATA_OUTDATED', 'the pending root does not follow the one in force');
  }
  requireDelegate(current, 'root', next);
  requireDelegate(next, 'root', next);
  return next;
}

/** @throws OtaError METADATA_UNSIGNED when the role's keys have not signed. */
export function requireDelegate(
  root: Metadata<Root>,
  role: TopRole,
  metadata: Parameters<Metadata<Root>['verifyDelegate']>[1],
): void {
  try {
    root.verifyDelegate(role, metadata);
  } catch (cause) {
    const { message } = cause as Error;
    throw new OtaError('METADATA_UNSIGNED', `${message}; ${ringOf(root, role).threshold} are needed`, cause);
  }
}

export function editionOf(role: TopRole, version: number, nowMs: number): Edition {
  return { version, expires: toSecond(nowMs + LIFETIME_DAYS[role] * DAY_MS) };
}

export function toSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function readMetadata({ disk, directory }: Repository, name: string): Promise<Uint8Array | undefined> {
  return readFileBounded(disk, join(directory, METADATA_DIRECTORY, name), MAX_METADATA_BYTES);
}

async function requireMetadata(repository: Repository, name: string): Promise<Uint8Array> {
  const bytes = await readMetadata(repository, name);
  if (bytes === undefined)
    throw new OtaError(
      'METADATA_MALFORMED',
      `the repository lacks ${name}: take it from a copy of the repository`,
    );
  return bytes;
}
