import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { MANIFEST_FILE, parseBundle } from '../../ota/bundle.ts';
import { OtaError } from '../../ota/errors.ts';
import {
  checkSameRelease,
  documentLimit,
  documentPath,
  type FetchedRelease,
  fetchRelease,
  fetchTarget,
  type Release,
} from '../../ota/releases.ts';
import type { KeyRing } from '../../ota/signatures.ts';
import type { HttpGet, TransferEffects } from '../../ota/transfer.ts';
import { parseTransferList, TRANSFER_LIST_FILE } from '../../ota/transfer-list.ts';
import { isRepositoryFile } from '../../wire/updates.ts';

/** A release's documents, brought into the repository by their hashes and then judged there as a camera judges them. */

const FILE_MODE = 0o644;

export interface DocumentsOptions extends TransferEffects {
  readonly disk: Disk;
  readonly repository: string;
  /** Root keys that cameras may have been flashed with: a key list is to be signed by one of these rings. */
  readonly rings: readonly KeyRing[];
  /** Paths that cameras are given already: what their documents' signatures are worth has been judged. */
  readonly given: ReadonlySet<string>;
}

export type BroughtRelease = Pick<FetchedRelease, 'bundle' | 'list'>;

/** @throws OtaError as fetchRelease; RELEASE_MISMATCHED for a path that no repository has; HostError. */
export async function bringDocuments(options: DocumentsOptions, release: Release): Promise<BroughtRelease> {
  const { disk, repository, clock, signal } = options;
  for (const [name, target] of Object.entries(release.documents)) {
    const path = documentPath(target);
    if (!isRepositoryFile(path)) {
      throw new OtaError('RELEASE_MISMATCHED', `no repository has a file ${path.slice(0, 200)}`);
    }
    const here = await disk.stat(join(repository, path));
    if (here?.bytes === target.length) continue;
    const bytes = await fetchTarget(options, target, documentLimit(name));
    await makeDirectories(disk, repository, dirname(path));
    await writeFileAtomic(disk, join(repository, path), bytes, FILE_MODE);
  }
  const here = { get: readFrom(disk, repository), clock, signal };
  try {
    const isGiven = Object.values(release.documents).every((target) =>
      options.given.has(documentPath(target)),
    );
    return isGiven ? await readRelease(here, release) : await judge(here, release, options.rings);
  } catch (error) {
    if (error instanceof OtaError && error.code === 'FETCH_WRONG') await forget(options, release);
    throw error;
  }
}

/** Judges a release by each set of root keys. */
async function judge(
  effects: TransferEffects,
  release: Release,
  rings: readonly KeyRing[],
): Promise<BroughtRelease> {
  const { product, hardware } = release;
  let refusal: unknown;
  for (const root of rings) {
    try {
      const trust = { root, keysCounter: 0, product, hardware: hardware[0] ?? '' };
      return await fetchRelease(effects, release, trust);
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/** A release that was judged before; what is signed about it may have changed since. @throws OtaError. */
async function readRelease(effects: TransferEffects, release: Release): Promise<BroughtRelease> {
  const read = async (name: string) => {
    const target = release.documents[name];
    if (target === undefined) throw new OtaError('RELEASE_INCOMPLETE', `${release.directory} has no ${name}`);
    return fetchTarget(effects, target, documentLimit(name));
  };
  const bundle = parseBundle(await read(MANIFEST_FILE));
  checkSameRelease(release, bundle);
  return { bundle, list: parseTransferList(await read(TRANSFER_LIST_FILE)) };
}

/** Documents of the right length and another content: damaged on the disk, and fetched anew at the next check. */
async function forget({ disk, repository }: DocumentsOptions, { documents }: Release): Promise<void> {
  for (const target of Object.values(documents)) await disk.unlink(join(repository, documentPath(target)));
}

/** Reads a repository from a directory. */
function readFrom(disk: Disk, repository: string): HttpGet {
  return async (path, { signal }) => {
    signal.throwIfAborted();
    const place = join(repository, path);
    if ((await disk.stat(place)) === undefined) return { status: 404, headers: {}, body: Readable.from([]) };
    return { status: 200, headers: {}, body: createReadStream(place) };
  };
}

/** Makes a directory below an existing one, and those between. @param path relative. */
export async function makeDirectories(disk: Disk, base: string, path: string): Promise<void> {
  if (path === '.' || path === '') return;
  await makeDirectories(disk, base, dirname(path));
  if (await disk.makeDirectory(join(base, path), 0o755)) await disk.syncDirectory(dirname(join(base, path)));
}
