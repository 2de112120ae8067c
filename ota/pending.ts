import { join } from 'node:path';
import type { Key, Metadata, Root, Targets } from '@tufjs/models';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import { OtaError } from './errors.ts';
import {
  editionOf,
  FILE_MODE,
  type InForce,
  MAX_METADATA_BYTES,
  METADATA_DIRECTORY,
  PENDING_DIRECTORY,
  type Repository,
  readInForce,
  requireDelegate,
  toSecond,
} from './repository.ts';
import {
  makeSnapshot,
  makeTargets,
  makeTimestamp,
  readRoot,
  readTargets,
  ringOf,
  type Signer,
  signMetadata,
  type TopRole,
  writeMetadata,
} from './tuf-metadata.ts';

/** What is to come into force in a repository: proposed, signed by offline keys, and then published with the timestamp last. */

const PENDING_TARGETS = 'targets.json';
const PENDING_ROOT = 'root.json';

export interface Pending {
  readonly root: Metadata<Root> | undefined;
  readonly targets: Metadata<Targets> | undefined;
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
  const pending = withoutInForce(await readPending(repository), current);
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

/** What came into force before a run broke off is pending no more. */
function withoutInForce({ root, targets }: Pending, current: InForce): Pending {
  const same = (a: Metadata<Root | Targets> | undefined, b: Metadata<Root | Targets> | undefined) =>
    a !== undefined && b !== undefined && writeMetadata(a).equals(writeMetadata(b));
  return {
    root: same(root, current.root) ? undefined : root,
    targets: same(targets, current.targets) ? undefined : targets,
  };
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

async function writePending({ disk, directory }: Repository, name: string, bytes: Uint8Array): Promise<void> {
  await disk.makeDirectory(join(directory, PENDING_DIRECTORY), 0o755);
  await writeFileAtomic(disk, join(directory, PENDING_DIRECTORY, name), bytes, FILE_MODE);
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
