import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TargetFile } from '@tufjs/models';
import semver from 'semver';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { type Bundle, type BundleFile, FILES_DIRECTORY, MANIFEST_FILE, SIGNATURES_FILE } from './bundle.ts';
import { verifyFiles } from './bundle-files.ts';
import { OtaError } from './errors.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE } from './key-list.ts';
import { proposeTargets, readPending } from './pending.ts';
import { listReleases } from './releases.ts';
import { type Repository, readInForce, TARGETS_DIRECTORY } from './repository.ts';
import type { Rollout } from './rollout.ts';
import {
  deltaPath,
  MAX_DELTA_FILE_BYTES,
  TRANSFER_LIST_FILE,
  type TransferList,
  wholePath,
  writeTransferList,
} from './transfer-list.ts';
import { makeTarget, targetFileName, withCustom } from './tuf-metadata.ts';
import { readDocuments, type VerifiedBundle } from './verify-bundle.ts';
import { compress } from './zstd.ts';

/** The maker's side: a bundle becomes files and targets, and what is signed about it is changed later. */

const FILE_MODE = 0o644;
const SEED_BYTES = 16;

export interface PublishOptions {
  readonly repository: Repository;
  readonly bundleDirectory: string;
  /** The bundle, its signatures judged already. */
  readonly verified: VerifiedBundle;
  /** A bundle that cameras run now, to make deltas to. */
  readonly previous?: { readonly directory: string; readonly bundle: Bundle } | undefined;
  readonly rollout: Pick<Rollout, 'percentage' | 'minimum' | 'severity' | 'advisories'>;
  readonly nowMs: number;
  /** zstd's, 1 to 22. */
  readonly level?: number | undefined;
  /** Told of each file before it is compressed. */
  readonly progress: (file: BundleFile) => void;
}

/**
 * Puts a signed bundle's files into the repository, and proposes targets that offer it.
 * @throws OtaError FILE_*; RELEASE_MISMATCHED for a release that no camera would take; HostError.
 */
export async function publish(options: PublishOptions): Promise<void> {
  const { repository, bundleDirectory, verified, nowMs } = options;
  const { bundle } = verified;
  const rollout: Rollout = {
    product: bundle.product,
    version: bundle.version,
    counter: bundle.counter,
    hardware: bundle.hardware,
    released: bundle.released,
    seed: randomBytes(SEED_BYTES).toString('hex'),
    halt: false,
    ...options.rollout,
  };
  const targets = await targetsInWork(repository);
  checkNews(rollout, listReleases(targets).releases);
  const files = join(bundleDirectory, FILES_DIRECTORY);
  await verifyFiles(files, bundle.files);
  const documents = await readDocuments(bundleDirectory);
  const contents: Record<string, Uint8Array> = {
    [MANIFEST_FILE]: documents.manifest,
    [SIGNATURES_FILE]: documents.signatures,
    [KEY_LIST_FILE]: documents.keyList,
    [KEY_LIST_SIGNATURES_FILE]: documents.keyListSignatures,
    [TRANSFER_LIST_FILE]: writeTransferList(await putFiles(options, files)),
  };
  const directory = `${bundle.product}/${bundle.version}/${bundle.hardware[0]}`;
  for (const [name, bytes] of Object.entries(contents)) {
    const path = `${directory}/${name}`;
    const target = makeTarget(path, bytes, name === MANIFEST_FILE ? { rollout } : undefined);
    targets[path] = target;
    await putTarget(repository, target, bytes);
  }
  await proposeTargets(repository, targets, nowMs);
}

/** That cameras which have every release offered so far would take this one. @throws OtaError RELEASE_MISMATCHED. */
function checkNews(rollout: Rollout, offered: readonly Rollout[]): void {
  const { version, counter, minimum } = rollout;
  const refuse = (why: string) => new OtaError('RELEASE_MISMATCHED', `release ${version}: ${why}`);
  if (semver.gt(minimum, version))
    throw refuse(`its minimum ${minimum} is above itself: give a lower --minimum`);
  for (const other of offered.filter(({ product }) => product === rollout.product)) {
    if (!other.hardware.some((board) => rollout.hardware.includes(board))) continue;
    if (other.version === version) throw refuse('it is published already; a change is a new version');
    if (semver.gt(version, other.version) && counter <= other.counter) {
      throw refuse(
        `its counter ${counter} is not above that of ${other.version}, ${other.counter}: build it with a higher one (oriel release build --counter N)`,
      );
    }
  }
}

/** Changes what is signed about releases of a version, on all hardware. @throws OtaError RELEASE_INCOMPLETE: none there. */
export async function changeRollout(
  repository: Repository,
  version: string,
  change: (rollout: Rollout) => Rollout,
  nowMs: number,
): Promise<void> {
  const targets = await targetsInWork(repository);
  const all = listReleases(targets).releases;
  const releases = all.filter((release) => release.version === version);
  if (releases.length === 0) {
    const known = [...new Set(all.map((release) => release.version))].join(', ');
    throw new OtaError(
      'RELEASE_INCOMPLETE',
      `no release ${version} is in the repository; there are: ${known || 'none (oriel release publish)'}`,
    );
  }
  for (const { directory, documents: _, ...rollout } of releases) {
    const path = `${directory}/${MANIFEST_FILE}`;
    const changed = withCustom(targets[path] as TargetFile, { rollout: change(rollout) });
    targets[path] = changed;
  }
  await proposeTargets(repository, targets, nowMs);
}

/** What is pending, so that several changes go into one edition; else what is in force. */
async function targetsInWork(repository: Repository): Promise<Record<string, TargetFile>> {
  const pending = await readPending(repository);
  const current = await readInForce(repository);
  return { ...(pending.targets ?? current.targets)?.signed.targets };
}

async function putTarget(
  { disk, directory }: Repository,
  target: TargetFile,
  bytes: Uint8Array,
): Promise<void> {
  const path = join(directory, TARGETS_DIRECTORY, targetFileName(target.path, target.hashes.sha256 ?? ''));
  await makeDirectories({ disk, directory }, dirname(path));
  await writeFileAtomic(disk, path, bytes, FILE_MODE);
}

async function makeDirectories({ disk, directory }: Repository, path: string): Promise<void> {
  if (path.length <= directory.length) return;
  await makeDirectories({ disk, directory }, dirname(path));
  await disk.makeDirectory(path, 0o755);
}

/** Compresses every content that is not there yet, and deltas where they are less. */
async function putFiles(options: PublishOptions, files: string): Promise<TransferList> {
  const { repository, verified, level, progress } = options;
  const { bundle } = verified;
  for (const name of ['files', 'deltas']) {
    await repository.disk.makeDirectory(join(repository.directory, name), 0o755);
  }
  const list: TransferList = { format: 'oriel-transfer-1', files: [], deltas: [] };
  for (const file of uniqueContents(bundle)) {
    const read = () => readFile(join(files, file.path));
    const bytes = await put(options, wholePath(file.sha256), async () => {
      progress(file);
      return compress(await read(), undefined, level);
    });
    list.files.push({ sha256: file.sha256, bytes });
    list.deltas.push(...(await putDelta(options, file, read, bytes)));
  }
  return list;
}

function uniqueContents({ files }: Bundle): BundleFile[] {
  return [...new Map(files.map((file) => [file.sha256, file])).values()];
}

/** Writes what is missing. @returns its length. */
async function put(
  { repository }: PublishOptions,
  path: string,
  make: () => Promise<Uint8Array>,
): Promise<number> {
  const place = join(repository.directory, path);
  const there = await stat(place).catch(() => undefined);
  if (there !== undefined) return there.size;
  const bytes = await make();
  await writeFileAtomic(repository.disk, place, bytes, FILE_MODE);
  return bytes.length;
}

const MAX_DELTA_BASES = 4;

async function putDelta(
  options: PublishOptions,
  file: BundleFile,
  read: () => Promise<Uint8Array>,
  wholeBytes: number,
): Promise<TransferList['deltas']> {
  const { previous, repository } = options;
  if (previous === undefined || file.size > MAX_DELTA_FILE_BYTES) return [];
  if (previous.bundle.files.some(({ sha256 }) => sha256 === file.sha256)) return [];
  const content = await read();
  let best: { readonly from: string; readonly delta: Uint8Array } | undefined;
  for (const base of deltaBases(previous.bundle.files, file)) {
    const dictionary = await readFile(join(previous.directory, FILES_DIRECTORY, base.path));
    const delta = await compress(content, dictionary, options.level);
    if (best === undefined || delta.length < best.delta.length) best = { from: base.sha256, delta };
  }
  if (best === undefined || best.delta.length >= wholeBytes) return [];
  const { from, delta } = best;
  const place = join(repository.directory, deltaPath(from, file.sha256));
  await writeFileAtomic(repository.disk, place, delta, FILE_MODE);
  return [{ from, to: file.sha256, bytes: delta.length }];
}

/** The old files most like the new one: that of its path, else those of its kind nearest in size, for chunks change names. */
function deltaBases(old: readonly BundleFile[], { path, size }: BundleFile): BundleFile[] {
  const usable = old.filter((file) => file.size > 0 && file.size <= MAX_DELTA_FILE_BYTES);
  const same = usable.filter((file) => file.path === path);
  if (same.length > 0) return same;
  const ending = path.slice(path.lastIndexOf('.'));
  return usable
    .filter((file) => file.path.endsWith(ending) && dirname(file.path) === dirname(path))
    .sort((a, b) => Math.abs(a.size - size) - Math.abs(b.size - size))
    .slice(0, MAX_DELTA_BASES);
}
