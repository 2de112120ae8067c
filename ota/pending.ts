import { join } from 'node:path';
import type { Key, Metadata, Root, Targets } from '@tufjs/models';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import { OtaError } from './errors.ts';
import {
  editionOf,
  FILE_MODE,
  MAX_METADATA_BYTES,
  PENDING_DIRECTORY,
  type Repository,
  readInForce,
  toSecond,
} from './repository.ts';
import { keyIdOf } from './signatures.ts';
import {
  makeTargets,
  readRoot,
  readTargets,
  ringOf,
  type Signer,
  signMetadata,
  type TopRole,
  writeMetadata,
} from './tuf-metadata.ts';

/** What is to come into force in a repository: proposed, and signed by offline keys. */

export const PENDING_TARGETS = 'targets.json';
export const PENDING_ROOT = 'root.json';

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
