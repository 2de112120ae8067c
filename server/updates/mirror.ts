import { join } from 'node:path';
import { equal } from '../../crypto/bytes.ts';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import type { DayAllowance } from '../../ota/day-budget.ts';
import { OtaError } from '../../ota/errors.ts';
import { refreshMetadata } from '../../ota/metadata.ts';
import type { KeyRing } from '../../ota/signatures.ts';
import type { HttpGet } from '../../ota/transfer.ts';
import { ringOf } from '../../ota/tuf-metadata.ts';
import type { Log } from '../log.ts';
import { type BroughtRelease, bringDocuments } from './documents.ts';
import { type Edition, readPublished, readTrusted } from './edition.ts';
import { MirrorError } from './failure.ts';
import { fetchFiles, findMissing } from './fetch-files.ts';
import type { MirrorPlaces } from './layout.ts';
import { checkRoom, type MirrorLimits, type MirrorPlan, pathsOf, planMirror } from './plan.ts';
import { filesOf, publishEdition, sweep } from './publish.ts';
import { bringRoots, MAX_ROOT_BYTES, parseRoot, type RootDocument } from './root-chain.ts';

/** One check of a maker's repository: what it offers is judged as a camera judges it, brought here, and then put in place. */

export interface MirrorOptions {
  readonly places: MirrorPlaces;
  /** The first root that is believed. */
  readonly firstRoot: Uint8Array;
  /** A root that the repository's are to include; for a household that was given one after it began. */
  readonly givenRoot: Uint8Array | undefined;
  readonly get: HttpGet;
  readonly limits: MirrorLimits;
  /** Bytes of bundles that may come today; without it no day has an end. */
  readonly day?: DayAllowance | undefined;
  /** Deltas that came and were wrong, of the edition with these targets: they are not asked for again. */
  readonly refused?: RefusedDeltas | undefined;
  /** What is certainly past, ms since 1970: by it alone metadata is expired. */
  readonly trustedTimeMs: number;
  readonly disk: Disk;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface RefusedDeltas {
  /** Version. */
  readonly targets: number;
  /** Paths. */
  readonly deltas: readonly string[];
}

export interface Mirrored {
  readonly edition: Edition;
  readonly rootVersion: number;
  /** Ids of its root keys. */
  readonly rootKeys: readonly string[];
  /** Whether the targets, and with them what cameras are to do, are others than before. */
  readonly isNews: boolean;
  /** Bytes of bundles that were fetched. */
  readonly fetchedBytes: number;
  /** What the bundles of this edition take. */
  readonly heldBytes: number;
  /** Paths of deltas that came and were wrong; cameras take the whole files. */
  readonly refusedDeltas: readonly string[];
}

/** Deltas that are remembered as wrong; others are fetched again, within the day's bytes. */
const MAX_REFUSED = 1_000;

/**
 * Checks once. What cameras are given changes only when all of the new edition is here and verified.
 * @throws OtaError METADATA_*, FETCH_*, RELEASE_*, BUNDLE_*, SIGNATURES_*; MirrorError; HostError; the platform's errors.
 */
export async function mirrorOnce(options: MirrorOptions): Promise<Mirrored> {
  const { places, disk, firstRoot, trustedTimeMs, log } = options;
  const { repository } = places;
  await makePlaces(disk, places);
  await refreshMetadata({
    ...options,
    directory: places.trusted,
    shippedRoot: firstRoot,
    scratch: places.scratch,
    trustedTimeMs,
  });
  const edition = await readTrusted(disk, places.trusted);
  const newest = await readFileBounded(disk, join(places.trusted, 'root.json'), MAX_ROOT_BYTES);
  if (edition === undefined || newest === undefined) {
    throw new OtaError('METADATA_FAILED', 'the metadata that was accepted cannot be read');
  }
  const first = parseRoot(firstRoot);
  const roots = await bringRoots({ ...options, repository, newest, firstVersion: first.signed.version });
  checkGiven(options.givenRoot, roots);
  const before = await readPublished(disk, repository);
  const documentBytes = documentBytesOf(edition);
  const freeBytes = () => disk.freeBytes(places.directory);
  checkRoom(documentBytes, documentBytes, await freeBytes(), options.limits);
  const releases: BroughtRelease[] = [];
  const rings = ringsOf(roots);
  const given = new Set(before === undefined ? [] : pathsOf(before));
  for (const release of edition.offer.releases) {
    releases.push(await bringDocuments({ ...options, repository, rings, given }, release));
  }
  const plan = planMirror(releases);
  await sweepOthers(options, plan, edition, before, roots);
  const { targets } = edition.versions;
  const refused = options.refused?.targets === targets ? options.refused.deltas : [];
  const missing = await findMissing(disk, repository, plan, new Set(refused));
  checkRoom(plan.bytes, missing.bytes, await freeBytes(), options.limits);
  if (missing.bytes > 0) log.info({ bytes: missing.bytes }, 'fetching updates from the maker');
  const fetched =
    missing.bytes > 0
      ? await fetchFiles({ ...options, repository, partial: places.partial }, missing, plan.bytes)
      : { bytes: 0, refused: [] };
  await publishEdition(disk, repository, roots, edition);
  return {
    edition,
    rootVersion: roots.at(-1)?.version ?? 0,
    rootKeys: roots.at(-1)?.root.signed.roles.root?.keyIDs ?? [],
    isNews: before === undefined || !equal(before.targets, edition.targets),
    fetchedBytes: fetched.bytes,
    heldBytes: plan.bytes,
    refusedDeltas: [...refused, ...fetched.refused].slice(0, MAX_REFUSED),
  };
}

function documentBytesOf({ offer }: Edition): number {
  const documents = offer.releases.flatMap((release) => Object.values(release.documents));
  return documents.reduce((sum, { length }) => sum + length, 0);
}

async function makePlaces(disk: Disk, { directory, trusted, partial, repository, scratch }: MirrorPlaces) {
  for (const place of [directory, trusted, partial, repository]) await disk.makeDirectory(place, 0o700);
  // A check that was killed has left its copy there.
  await sweep(disk, scratch, new Set());
}

/** Both are the same document, whatever white space it is written with. @throws MirrorError ROOT_FOREIGN. */
function checkGiven(given: Uint8Array | undefined, roots: readonly RootDocument[]): void {
  if (given === undefined) return;
  const { signed } = parseRoot(given);
  const here = roots.find(({ version }) => version === signed.version);
  if (here !== undefined && JSON.stringify(here.root.signed.toJSON()) === JSON.stringify(signed.toJSON()))
    return;
  throw new MirrorError(
    'ROOT_FOREIGN',
    `the root given, version ${signed.version}, is none of this repository's`,
  );
}

/** The different sets of root keys that cameras may have been flashed with, oldest first. */
function ringsOf(roots: readonly RootDocument[]): KeyRing[] {
  const rings = roots.map(({ root }) => ringOf(root, 'root'));
  return [
    ...new Map(
      rings.map((ring) => [JSON.stringify([ring.threshold, ...ring.keys.toSorted()]), ring]),
    ).values(),
  ];
}

/** Removes what neither the edition that cameras are given names nor the one that is to come. */
async function sweepOthers(
  { disk, places }: MirrorOptions,
  plan: MirrorPlan,
  edition: Edition,
  before: Edition | undefined,
  roots: readonly RootDocument[],
): Promise<void> {
  const files = [...plan.wholes.values(), ...plan.deltas].map(({ path }) => path);
  const keep = new Set([
    ...files,
    ...pathsOf(edition),
    ...roots.map(({ version }) => `metadata/${version}.root.json`),
    ...(before === undefined
      ? []
      : [...pathsOf(before), ...(await filesOf(disk, places.repository, before))]),
  ]);
  await sweep(disk, places.repository, keep);
  await sweep(disk, places.partial, new Set(files.map((path) => path.slice(path.indexOf('/') + 1))));
}
