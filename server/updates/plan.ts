import { OtaError } from '../../ota/errors.ts';
import { documentPath, type FetchedRelease, type Release } from '../../ota/releases.ts';
import { deltaPath, MAX_DELTA_FILE_BYTES, wholePath } from '../../ota/transfer-list.ts';
import type { Edition } from './edition.ts';
import { MirrorError } from './failure.ts';

/** What a mirror holds for an edition. Pure. */

/** The content of a file of a bundle, as the repository has it. */
export interface WholeFile {
  readonly path: string;
  /** Compressed. */
  readonly bytes: number;
  readonly sha256: string;
  /** Decompressed. */
  readonly size: number;
}

export interface DeltaFile extends WholeFile {
  /** SHA-256 of the content that is its dictionary. */
  readonly from: string;
}

export interface MirrorPlan {
  /** By SHA-256 of the content. */
  readonly wholes: ReadonlyMap<string, WholeFile>;
  /** Those that can be verified here: their dictionary is of a release that is here too. */
  readonly deltas: readonly DeltaFile[];
  /** Of all of them. */
  readonly bytes: number;
}

export interface MirrorLimits {
  /** What bundles may take in all. */
  readonly maxBytes: number;
  /** What is left free for footage. */
  readonly reserveBytes: number;
}

type Listed = Pick<FetchedRelease, 'bundle' | 'list'>;

/** @throws OtaError RELEASE_INCOMPLETE, RELEASE_MISMATCHED. */
export function planMirror(releases: readonly Listed[]): MirrorPlan {
  const wholes = new Map<string, WholeFile>();
  for (const file of releases.flatMap(wholesOf)) {
    if ((wholes.get(file.sha256)?.bytes ?? file.bytes) !== file.bytes) {
      throw new OtaError('RELEASE_MISMATCHED', `${file.path} is listed with two lengths`);
    }
    wholes.set(file.sha256, file);
  }
  const known = releases.flatMap((release) => deltasOf(release, wholes));
  const deltas = [...new Map(known.map((delta) => [delta.path, delta])).values()];
  const bytes = [...wholes.values(), ...deltas].reduce((sum, file) => sum + file.bytes, 0);
  return { wholes, deltas, bytes };
}

function wholesOf({ bundle, list }: Listed): WholeFile[] {
  const listed = new Map(list.files.map(({ sha256, bytes }) => [sha256, bytes]));
  return bundle.files.map(({ sha256, size }) => {
    const [path, bytes] = [wholePath(sha256), listed.get(sha256)];
    if (bytes !== undefined) return { path, bytes, sha256, size };
    throw new OtaError('RELEASE_INCOMPLETE', `${path} is not on the transfer list of ${bundle.version}`);
  });
}

function deltasOf({ list }: Listed, wholes: MirrorPlan['wholes']): DeltaFile[] {
  return list.deltas.flatMap(({ from, to, bytes }) => {
    const [dictionary, content] = [wholes.get(from), wholes.get(to)];
    if (dictionary === undefined || content === undefined) return [];
    if (Math.max(dictionary.size, content.size) > MAX_DELTA_FILE_BYTES) return [];
    return [{ path: deltaPath(from, to), bytes, sha256: to, size: content.size, from }];
  });
}

/**
 * Whether there is room.
 * @param bytes of all that is to be held. @param missingBytes what is still to be fetched of it.
 * @throws MirrorError MIRROR_OVERSIZED, STORAGE_FULL.
 */
export function checkRoom(
  bytes: number,
  missingBytes: number,
  freeBytes: number,
  { maxBytes, reserveBytes }: MirrorLimits,
): void {
  if (bytes > maxBytes) {
    throw new MirrorError(
      'MIRROR_OVERSIZED',
      `the releases have ${bytes} bytes, and ${maxBytes} are the most that is mirrored`,
    );
  }
  if (missingBytes > 0 && freeBytes - missingBytes < reserveBytes) {
    throw new MirrorError(
      'STORAGE_FULL',
      `${missingBytes} bytes are to be fetched, ${freeBytes} are free, and ${reserveBytes} of them are for footage`,
    );
  }
}

/** Paths of an edition's metadata but its roots, and of its releases' documents. */
export function pathsOf({ versions, offer }: Pick<Edition, 'versions' | 'offer'>): string[] {
  return [
    'metadata/timestamp.json',
    `metadata/${versions.snapshot}.snapshot.json`,
    `metadata/${versions.targets}.targets.json`,
    ...offer.releases.flatMap(documentPaths),
  ];
}

const documentPaths = ({ documents }: Release) => Object.values(documents).map(documentPath);
