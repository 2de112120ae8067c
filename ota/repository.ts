import { join } from 'node:path';
import type { Key, Metadata, Root, Targets } from '@tufjs/models';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { OtaError } from './errors.ts';
import {
  type Edition,
  makeSnapshot,
  makeTargets,
  makeTimestamp,
  readRoot,
  readSnapshot,
  readTargets,
  readTimestamp,
  ringOf,
  type Signer,
  signMetadata,
  type TopRole,
  writeMetadata,
} from './tuf-metadata.ts';

/**
 * The maker's repository: a directory of static files. What is to change is first written below `pending`, where the
 * offline keys sign it, on other machines perhaps; `finish` puts it into force, the timestamp last, so that whoever
 * reads at any moment finds one whole edition.
 */

export const METADATA_DIRECTORY = 'metadata';
export const TARGETS_DIRECTORY = 'targets';
export const PENDING_DIRECTORY = 'pending';
const PENDING_TARGETS = 'targets.json';
const PENDING_ROOT = 'root.json';
const MAX_METADATA_BYTES = 1024 * 1024;
const DAY_MS = 86_400_000;
const FILE_MODE = 0o644;

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

export interface Pending {
  readonly root: Metadata<Root> | undefined;
  readonly targets: Metadata<Targets> | undefined;
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
    throw new OtaError('METADATA_MALFORMED', `${repository.directory} holds no repository`);
  }
  return readRoot(newest);
}

/** Writes what the targets are to be, for the release keys to sign. Replaces what was pending. */
export async function proposeTargets(
  repository: Repository,
  targets: Targets['targets'],
  nowMs: number,
): Promise<Metadata<Targets>> {
  const { targets: current } = await readInForce(repository);
  const version = (current?.signed.version ?? 0) + 1;
  const metadata = makeTargets(editionOf('targets', version, nowMs), toSecond(nowMs), targets);
  await writePending(repository, PENDING_TARGETS, writeMetadata(metadata));
  return metadata;
}

/** Writes a new root, for the root keys of old and new to sign. */
export async function proposeRoot(repository: Repository, root: Metadata<Root>): Promise<void> {
  await writePending(repository, PENDING_ROOT, writeMetadata(root));
}

export async function readPending({ disk, directory }: Repository): Promise<Pending> {
  const read = (name: string) =>
    readFileBounded(disk, join(directory, PENDING_DIRECTORY, name), MAX_METADATA_BYTES);
  const root = await read(PENDING_ROOT);
  const targets = await read(PENDING_TARGETS);
  return { root: root && readRoot(root), targets: targets && readTargets(targets) };
}

/** Adds signatures to what is pending. Signatures by keys that its roles do not know are left out. */
export async function signPending(repository: Repository, signers: readonly Signer[]): Promise<void> {
  const { root: current } = await readInForce(repository);
  const pending = await readPending(repository);
  const known = (ring: { readonly keys: readonly string[] }) =>
    signers.filter(({ publicKey }) => ring.keys.includes(publicKey));
  if (pending.root !== undefined) {
    const keys = [...ringOf(current, 'root').keys, ...ringOf(pending.root, 'root').keys];
    await proposeRoot(repository, signMetadata(pending.root, known({ keys })));
  }
  if (pending.targets !== undefined) {
    const signed = signMetadata(pending.targets, known(ringOf(pending.root ?? current, 'targets')));
    await writePending(repository, PENDING_TARGETS, writeMetadata(signed));
  }
}

/**
 * Puts what is pending into force, or renews what is in force.
 * @param online the key of snapshot and timestamp.
 * @throws OtaError METADATA_UNSIGNED when signatures are missing, METADATA_OUTDATED when it was proposed on another
 * edition than the one in force; HostError.
 */
export async function finish(repository: Repository, online: Signer, nowMs: number): Promise<InForce> {
  const current = await readInForce(repository);
  const pending = await readPending(repository);
  const root = pending.root === undefined ? current.root : checkRoot(current.root, pending.root);
  const targets = pending.targets ?? current.targets;
  if (targets === undefined) throw new OtaError('METADATA_MALFORMED', 'there is nothing to put into force');
  if (
    pending.targets !== undefined &&
    targets.signed.version !== (current.targets?.signed.version ?? 0) + 1
  ) {
    throw new OtaError(
      'METADATA_OUTDATED',
      'the pending targets follow another edition than the one in force',
    );
  }
  requireDelegate(root, 'targets', targets);
  const write = (name: string, bytes: Uint8Array) =>
    writeFileAtomic(repository.disk, join(repository.directory, METADATA_DIRECTORY, name), bytes, FILE_MODE);
  if (pending.root !== undefined) await write(`${root.signed.version}.root.json`, writeMetadata(root));
  const targetsBytes = writeMetadata(targets);
  await write(`${targets.signed.version}.targets.json`, targetsBytes);

  const snapshot = makeSnapshot(editionOf('snapshot', current.snapshotVersion + 1, nowMs), {
    version: targets.signed.version,
    bytes: targetsBytes,
  });
  const snapshotBytes = writeMetadata(signMetadata(snapshot, [online]));
  requireDelegate(root, 'snapshot', snapshot);
  await write(`${snapshot.signed.version}.snapshot.json`, snapshotBytes);

  const timestamp = makeTimestamp(editionOf('timestamp', current.timestampVersion + 1, nowMs), {
    version: snapshot.signed.version,
    bytes: snapshotBytes,
  });
  signMetadata(timestamp, [online]);
  requireDelegate(root, 'timestamp', timestamp);
  await write('timestamp.json', writeMetadata(timestamp));
  for (const name of [PENDING_ROOT, PENDING_TARGETS]) {
    await repository.disk.unlink(join(repository.directory, PENDING_DIRECTORY, name));
  }
  return readInForce(repository);
}

/** How many signatures of how many needed a document has. */
export interface SignatureCount {
  readonly document: string;
  readonly present: number;
  readonly needed: number;
}

/** What the pending documents still lack. */
export async function countSignatures(repository: Repository): Promise<SignatureCount[]> {
  const { root: current } = await readInForce(repository);
  const { root, targets } = await readPending(repository);
  const count = (document: string, metadata: Metadata<Root | Targets>, by: Metadata<Root>, role: TopRole) => {
    const ids = by.signed.roles[role]?.keyIDs ?? [];
    const present = ids.filter((id) => fits(by.signed.keys[id], metadata)).length;
    return { document, present, needed: ringOf(by, role).threshold };
  };
  return [
    ...(root === undefined ? [] : [count('root, by the keys in force', root, current, 'root')]),
    ...(root === undefined ? [] : [count('root, by its own keys', root, root, 'root')]),
    ...(targets === undefined ? [] : [count('targets', targets, root ?? current, 'targets')]),
  ];
}

function fits(key: Key | undefined, metadata: Metadata<Root | Targets>): boolean {
  try {
    key?.verifySignature(metadata);
    return key !== undefined;
  } catch {
    return false;
  }
}

function checkRoot(current: Metadata<Root>, next: Metadata<Root>): Metadata<Root> {
  if (next.signed.version !== current.signed.version + 1) {
    throw new OtaError('METADATA_OUTDATED', 'the pending root does not follow the one in force');
  }
  requireDelegate(current, 'root', next);
  requireDelegate(next, 'root', next);
  return next;
}

function requireDelegate(
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

function toSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

async function writePending({ disk, directory }: Repository, name: string, bytes: Uint8Array): Promise<void> {
  await disk.makeDirectory(join(directory, PENDING_DIRECTORY), 0o755);
  await writeFileAtomic(disk, join(directory, PENDING_DIRECTORY, name), bytes, FILE_MODE);
}

function readMetadata({ disk, directory }: Repository, name: string): Promise<Uint8Array | undefined> {
  return readFileBounded(disk, join(directory, METADATA_DIRECTORY, name), MAX_METADATA_BYTES);
}

async function requireMetadata(repository: Repository, name: string): Promise<Uint8Array> {
  const bytes = await readMetadata(repository, name);
  if (bytes === undefined) throw new OtaError('METADATA_MALFORMED', `the repository lacks ${name}`);
  return bytes;
}

/**
 * Takes over the signatures of a copy of a pending document that was signed elsewhere.
 * @throws OtaError METADATA_MIXED when it is a copy of something else.
 */
export async function attachPending(repository: Repository, copy: Uint8Array): Promise<void> {
  const pending = await readPending(repository);
  const kind = (JSON.parse(Buffer.from(copy).toString()) as { signed?: { _type?: unknown } }).signed?._type;
  const [name, document, other] =
    kind === 'root'
      ? [PENDING_ROOT, pending.root, readRoot(copy)]
      : [PENDING_TARGETS, pending.targets, readTargets(copy)];
  if (
    document === undefined ||
    JSON.stringify(document.signed.toJSON()) !== JSON.stringify(other.signed.toJSON())
  ) {
    throw new OtaError('METADATA_MIXED', `that is no copy of the pending ${name}`);
  }
  Object.assign(document.signatures, other.signatures);
  await writePending(repository, name, writeMetadata(document));
}
