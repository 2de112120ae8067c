import { join } from 'node:path';
import { equal } from '../../crypto/bytes.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { OtaError } from '../../ota/errors.ts';
import { documentLimit, documentPath } from '../../ota/releases.ts';
import { METADATA_DIRECTORY } from '../../ota/repository.ts';
import { deltaPath, parseTransferList, TRANSFER_LIST_FILE, wholePath } from '../../ota/transfer-list.ts';
import { makeDirectories } from './documents.ts';
import type { Edition } from './edition.ts';
import { MAX_ROOT_BYTES, type RootDocument, rootPlace } from './root-chain.ts';

/** Paths of an edition's bundle files, by the transfer lists that lie here. @throws HostError. */
export async function filesOf(disk: Disk, repository: string, { offer }: Edition): Promise<string[]> {
  const paths: string[] = [];
  for (const { documents } of offer.releases) {
    const target = documents[TRANSFER_LIST_FILE];
    if (target === undefined) continue;
    const place = join(repository, documentPath(target));
    const bytes = await readFileBounded(disk, place, documentLimit(TRANSFER_LIST_FILE));
    if (bytes !== undefined) paths.push(...filesOn(bytes));
  }
  return paths;
}

/** None of a list that is damaged: what it named is fetched anew where it is wanted. */
function filesOn(list: Uint8Array): string[] {
  try {
    const { files, deltas } = parseTransferList(list);
    return [
      ...files.map(({ sha256 }) => wholePath(sha256)),
      ...deltas.map(({ from, to }) => deltaPath(from, to)),
    ];
  } catch (error) {
    if (error instanceof OtaError) return [];
    throw error;
  }
}

/** Changes what cameras are given. Every file that an edition names is durable before its timestamp is in place. */

const FILE_MODE = 0o644;

/** Puts an edition in place, the timestamp last: at every moment, and after any crash, cameras find one whole edition. */
export async function publishEdition(
  disk: Disk,
  repository: string,
  roots: readonly RootDocument[],
  edition: Edition,
): Promise<void> {
  await makeDirectories(disk, repository, METADATA_DIRECTORY);
  const { versions } = edition;
  const write = (place: string, bytes: Uint8Array) => replace(disk, place, bytes);
  for (const { version, bytes } of roots) await write(rootPlace(repository, version), bytes);
  const at = (name: string) => join(repository, METADATA_DIRECTORY, name);
  await write(at(`${versions.targets}.targets.json`), edition.targets);
  await write(at(`${versions.snapshot}.snapshot.json`), edition.snapshot);
  await write(at('timestamp.json'), edition.timestamp);
}

async function replace(disk: Disk, place: string, bytes: Uint8Array): Promise<void> {
  const here = await readFileBounded(disk, place, Math.max(bytes.length, MAX_ROOT_BYTES));
  if (here !== undefined && equal(here, bytes)) return;
  await writeFileAtomic(disk, place, bytes, FILE_MODE);
}

/** Removes every file of a directory that is not kept, and directories that are empty then. @param keep relative paths. */
export async function sweep(
  disk: Disk,
  directory: string,
  keep: ReadonlySet<string>,
  below = '',
): Promise<void> {
  for (const name of (await disk.list(join(directory, below))) ?? []) {
    const path = below === '' ? name : `${below}/${name}`;
    if (keep.has(path)) continue;
    const place = join(directory, path);
    if ((await disk.stat(place))?.directory) {
      await sweep(disk, directory, keep, path);
      await disk.removeDirectory(place);
    } else {
      await disk.unlink(place);
    }
  }
}
