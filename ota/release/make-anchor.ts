import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { readNeededFile, writeTextFile } from '../../host/files.ts';
import {
  type Anchor,
  KEY_LIST_FILE,
  KEY_LIST_SIGNATURES_FILE,
  verifyKeyList,
  writeAnchor,
} from '../key-list.ts';
import { type Repository, rootsFrom } from '../repository.ts';
import { readRoot, ringOf, writeMetadata } from '../tuf-metadata.ts';
import { ReleaseError } from './errors.ts';
import {
  ANCHOR_FILE,
  describeRoot,
  ROOT_FILE,
  readAnchor,
  readFirstRoot,
  shortId,
} from './public-documents.ts';

const MAX_BYTES = 64 * 1024;
const FILE_MODE = 0o644;

export interface AnchorOptions {
  readonly repository: string;
  readonly product?: string;
}

/**
 * Writes the newest root of a repository and the anchor that follows from it, for kits and images to carry.
 * @returns what to tell. @throws ReleaseError USAGE; OtaError METADATA_UNSIGNED, METADATA_OUTDATED, METADATA_MALFORMED.
 */
export async function makeAnchor(directory: string, wish: AnchorOptions): Promise<string[]> {
  const repository: Repository = { disk: systemDisk, directory: wish.repository };
  const isHere = existsSync(join(directory, ROOT_FILE));
  const product = existsSync(join(directory, ANCHOR_FILE)) ? readAnchor(directory).product : wish.product;
  if (product === undefined) {
    throw new ReleaseError('USAGE', `${directory} has no anchor: say what the cameras are, --product NAME`);
  }
  const roots = await rootsFrom(repository, isHere ? readRoot(readFirstRoot(directory)) : undefined);
  const [first, newest] = [roots[0], roots.at(-1)];
  if (first === undefined || newest === undefined) {
    throw new ReleaseError('USAGE', `${wish.repository} has no root to begin with`);
  }
  const { keys, threshold } = ringOf(newest, 'root');
  const anchor: Anchor = { format: 'oriel-anchor-1', product, threshold, keys: [...keys] };
  mkdirSync(directory, { recursive: true });
  writeTextFile(join(directory, ROOT_FILE), writeMetadata(newest), FILE_MODE);
  writeTextFile(join(directory, ANCHOR_FILE), writeAnchor(anchor), FILE_MODE);
  return [
    ...(isHere
      ? []
      : ['WARNING      nothing here said where to begin: compare these ids with the keys themselves']),
    ...(first === newest
      ? [`root         version ${newest.signed.version} is the newest`]
      : describeRoot(first, newest)),
    `anchor       ${product}: ${threshold} of the root keys ${keys.map(shortId).join(', ')}`,
    ...(await whatListLacks(directory, anchor)),
  ];
}

/** A bundle carries the key list: a camera of the new anchor takes it only signed by the new root keys. */
async function whatListLacks(directory: string, anchor: Anchor): Promise<string[]> {
  if (!existsSync(join(directory, KEY_LIST_FILE))) return [];
  const read = (name: string) => readNeededFile(join(directory, name), MAX_BYTES);
  try {
    await verifyKeyList(read(KEY_LIST_FILE), read(KEY_LIST_SIGNATURES_FILE), anchor, 0);
    return [];
  } catch (error) {
    const { message } = error as Error;
    return [`next         oriel release sign ${directory} --key ROOT_KEY (${message})`];
  }
}
