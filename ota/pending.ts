import { join } from 'node:path';
import type { Key, Metadata, Root, Targets } from '@tufjs/models';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import { OtaError } from './errors.ts';
import {
  checkRoot,
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
import { keyIdOf } from './signatures.ts';
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

/** @throws OtaError METADATA_MALFORMED; HostError. */
export async function readPending({ disk, directory }: Repository): Promise<Pending> {
  const read = async <T>(name: string, parse: (bytes: Uint8Array) => T) => {
    const path = join(directory, PENDING_DIRECTORY, name);
    const bytes = await readFileBounded(disk, path, MAX_METADATA_BYTES);
    return bytes && parsed(bytes, parse, `${path} is no metadata: remove it, and do again what it proposed`);
  };
  return { root: await read(PENDING_ROOT, readRoot), targets: await read(PENDING_TARGETS, readTargets) };
}

function parsed<T>(bytes: Uint8Array, parse: (bytes: Uint8Array) => T, otherwise: string): T {
  try {
    return parse(bytes);
  } catch (cause) {
    throw new OtaError('METADATA_MALFORMED', otherwise, cause);
  }
}

/**
 * Adds signatures to what is pending. A key that may sign none of it adds none.
 * @returns the ids of such keys.
 */
export async function signPending(repository: Repository, signers: readonly Signer[]): Promise<string[]> {
  const { root: current } = await readInForce(repository);
  const pending = await readPending(repository);
  const rings = ringsOf(current, pending);
  const known = (keys: readonly string[]) => signers.filter(({ publicKey }) => keys.includes(publicKey));
  if (pending.root !== undefined) {
    await proposeRoot(repository, signMetadata(pending.root, known(rings.root)));
  }
  if (pending.targets !== undefined) {
    const signed = signMetadata(pending.targets, known(rings.targets));
    await writePending(repository, PENDING_TARGETS, writeMetadata(signed));
  }
  const all = [...rings.root, ...rings.targets];
  return signers
    .filter(({ publicKey }) => !all.includes(publicKey))
    .map(({ publicKey }) => keyIdOf(publicKey));
}

/** Public keys whose signatures count: on a new root those of the old one and its own; on targets those of the newest. */
function ringsOf(current: Metadata<Root>, { root, targets }: Pending) {
  const ofRoot = root === undefined ? [] : [...ringOf(current, 'root').keys, ...ringOf(root, 'root').keys];
  return { root: ofRoot, targets: targets === undefined ? [] : ringOf(root ?? current, 'targets').keys };
}

/** What finishing came to. */
export interface Finished extends InForce {
  /** Why something that is pending is so still; undefined when nothing is. */
  readonly refusal: OtaError | undefined;
}

/**
 * Puts into force what is pending and signed, and renews what is in force. What is pending and not ready (its signatures
 * are missing, or it follows another edition) stays pending, and holds up no renewal.
 * @param online the key of snapshot and timestamp.
 * @throws OtaError METADATA_UNSIGNED when there is nothing to renew either; METADATA_MALFORMED; HostError.
 */
export async function finish(repository: Repository, online: Signer, nowMs: number): Promise<Finished> {
  const current = await readInForce(repository);
  const { files, done, refusal } = await prepare(repository, current, { online, nowMs });
  for (const { name, bytes } of files) {
    const path = join(repository.directory, METADATA_DIRECTORY, name);
    await writeFileAtomic(repository.disk, path, bytes, FILE_MODE);
  }
  for (const name of done) await repository.disk.unlink(join(repository.directory, PENDING_DIRECTORY, name));
  return { ...(await readInForce(repository)), refusal };
}

interface Renewal {
  readonly online: Signer;
  readonly nowMs: number;
}

interface MetadataFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The files of the next edition, with as much of what is pending as is ready, and what is pending no more then. */
async function prepare(
  repository: Repository,
  current: InForce,
  renewal: Renewal,
): Promise<{ files: MetadataFile[]; done: string[]; refusal: OtaError | undefined }> {
  const read = await readPending(repository).catch((cause: unknown) => {
    if (cause instanceof OtaError) return cause;
    throw cause;
  });
  if (read instanceof OtaError) {
    return { files: filesOf(current, NOTHING, renewal), done: [], refusal: read };
  }
  const pending = withoutInForce(read, current);
  const { root, targets } = pending;
  let refusal: OtaError | undefined;
  for (const choice of [pending, { ...NOTHING, targets }, { ...NOTHING, root }, NOTHING]) {
    try {
      const files = filesOf(current, choice, renewal);
      const done = [
        ...(choice.root === root ? [PENDING_ROOT] : []),
        ...(choice.targets === targets ? [PENDING_TARGETS] : []),
      ];
      return { files, done, refusal };
    } catch (error) {
      if (!(error instanceof OtaError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal ?? nothingYet();
}

const nothingYet = () =>
  new OtaError('METADATA_MALFORMED', 'there is nothing to put into force yet: oriel release publish');

const NOTHING: Pending = { root: undefined, targets: undefined };

/**
 * One edition, whole, in the order in which it is written: the timestamp last.
 * @throws OtaError METADATA_UNSIGNED, METADATA_OUTDATED; METADATA_MALFORMED when no targets are there.
 */
function filesOf(current: InForce, pending: Pending, { online, nowMs }: Renewal): MetadataFile[] {
  const root = pending.root === undefined ? current.root : checkRoot(current.root, pending.root);
  const targets = pending.targets ?? current.targets;
  if (targets === undefined) throw nothingYet();
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
  const targetsBytes = writeMetadata(targets);
  const snapshot = makeSnapshot(editionOf('snapshot', current.snapshotVersion + 1, nowMs), {
    version: targets.signed.version,
    bytes: targetsBytes,
  });
  const snapshotBytes = writeMetadata(signMetadata(snapshot, [online]));
  requireDelegate(root, 'snapshot', snapshot);
  const timestamp = makeTimestamp(editionOf('timestamp', current.timestampVersion + 1, nowMs), {
    version: snapshot.signed.version,
    bytes: snapshotBytes,
  });
  signMetadata(timestamp, [online]);
  requireDelegate(root, 'timestamp', timestamp);
  return [
    ...(pending.root === undefined
      ? []
      : [{ name: `${root.signed.version}.root.json`, bytes: writeMetadata(root) }]),
    { name: `${targets.signed.version}.targets.json`, bytes: targetsBytes },
    { name: `${snapshot.signed.version}.snapshot.json`, bytes: snapshotBytes },
    { name: 'timestamp.json', bytes: writeMetadata(timestamp) },
  ];
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

/** A role's keys, by id. */
function roleKeys({ signed }: Metadata<Root>, role: TopRole): [string, Key | undefined][] {
  return (signed.roles[role]?.keyIDs ?? []).map((id) => [id, signed.keys[id]]);
}

function fits(key: Key | undefined, metadata: Metadata<Root | Targets>): boolean {
  try {
    key?.verifySignature(metadata);
    return key !== undefined;
  } catch {
    return false;
  }
}

async function writePending({ disk, directory }: Repository, name: string, bytes: Uint8Array): Promise<void> {
  await disk.makeDirectory(join(directory, PENDING_DIRECTORY), 0o755);
  await writeFileAtomic(disk, join(directory, PENDING_DIRECTORY, name), bytes, FILE_MODE);
}

/**
 * Takes over the signatures of a copy of a pending document that was signed elsewhere.
 * @returns the ids of keys among them that may not sign it, or whose signature does not fit it: they are left out.
 * @throws OtaError METADATA_MIXED when it is a copy of something else; METADATA_MALFORMED.
 */
export async function attachPending(repository: Repository, copy: Uint8Array): Promise<string[]> {
  const { root: current } = await readInForce(repository);
  const pending = await readPending(repository);
  const { kind, other } = parsed(
    copy,
    readCopy,
    'that is no metadata: attach a file of pending/ in a signed copy',
  );
  const [name, document] =
    kind === 'root' ? [PENDING_ROOT, pending.root] : [PENDING_TARGETS, pending.targets];
  if (
    document === undefined ||
    JSON.stringify(document.signed.toJSON()) !== JSON.stringify(other.signed.toJSON())
  ) {
    throw new OtaError(
      'METADATA_MIXED',
      `that is no copy of the pending ${name}, which may have changed since: copy metadata/ and pending/ again, sign the copy (oriel release sign COPY --key KEY), and attach pending/${name} of it`,
    );
  }
  const newest = pending.root ?? current;
  const keys = new Map(
    kind === 'root'
      ? [...roleKeys(current, 'root'), ...roleKeys(newest, 'root')]
      : roleKeys(newest, 'targets'),
  );
  const left: string[] = [];
  for (const [id, signature] of Object.entries(other.signatures)) {
    if (fits(keys.get(id), other)) document.signatures[id] = signature;
    else left.push(id);
  }
  await writePending(repository, name, writeMetadata(document));
  return left;
}

function readCopy(bytes: Uint8Array) {
  const kind = (JSON.parse(Buffer.from(bytes).toString()) as { signed?: { _type?: unknown } }).signed?._type;
  return kind === 'root' ? { kind, other: readRoot(bytes) } : { kind, other: readTargets(bytes) };
}
