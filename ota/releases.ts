import { createHash } from 'node:crypto';
import type { TargetFile, Targets } from '@tufjs/models';
import * as v from 'valibot';
import { parseRfc3339 } from '../crypto/time.ts';
import { type Bundle, MANIFEST_FILE, MAX_MANIFEST_BYTES, Sha256, SIGNATURES_FILE, Time } from './bundle.ts';
import { OtaError } from './errors.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE } from './key-list.ts';
import { Rollout } from './rollout.ts';
import { type TransferEffects, transfer } from './transfer.ts';
import {
  MAX_TRANSFER_LIST_BYTES,
  parseTransferList,
  TRANSFER_LIST_FILE,
  type TransferList,
} from './transfer-list.ts';
import { ISSUED_FIELD, targetFileName } from './tuf-metadata.ts';
import {
  type BundleDocuments,
  type BundleTrust,
  type VerifiedBundle,
  verifyDocuments,
} from './verify-bundle.ts';

/** Releases as the repository's targets list them: `<name>/bundle.json`, with the rollout as custom data, and beside it the rest. */

/** A release on offer. */
export interface Release extends Rollout {
  /** Path of its documents among the targets. */
  readonly directory: string;
  readonly documents: Readonly<Record<string, TargetFile>>;
}

export interface Offer {
  readonly releases: readonly Release[];
  /** Paths of bundles whose rollout this version cannot read. */
  readonly unreadable: readonly string[];
  /** When the maker signed this, ms since 1970: certainly past. Undefined when it does not say. */
  readonly issuedMs: number | undefined;
}

const DOCUMENTS = [
  MANIFEST_FILE,
  SIGNATURES_FILE,
  KEY_LIST_FILE,
  KEY_LIST_SIGNATURES_FILE,
  TRANSFER_LIST_FILE,
];

/** What verified targets offer. */
export function readOffer({ targets, unrecognizedFields }: Targets): Offer {
  const issued = v.safeParse(Time, unrecognizedFields[ISSUED_FIELD]);
  return { ...listReleases(targets), issuedMs: issued.success ? parseRfc3339(issued.output) : undefined };
}

export function listReleases(targets: Targets['targets']): Pick<Offer, 'releases' | 'unreadable'> {
  const releases: Release[] = [];
  const unreadable: string[] = [];
  for (const [path, target] of Object.entries(targets)) {
    if (!path.endsWith(`/${MANIFEST_FILE}`)) continue;
    const directory = path.slice(0, -MANIFEST_FILE.length - 1);
    const documents = DOCUMENTS.flatMap((name) => {
      const document = targets[`${directory}/${name}`];
      return document === undefined ? [] : [[name, document] as const];
    });
    const rollout = v.safeParse(Rollout, target.custom.rollout);
    if (rollout.success) {
      releases.push({ ...rollout.output, directory, documents: Object.fromEntries(documents) });
    } else {
      unreadable.push(path);
    }
  }
  return { releases, unreadable };
}

export interface FetchedRelease extends VerifiedBundle {
  readonly documents: BundleDocuments;
  readonly list: TransferList;
}

/**
 * Fetches a release's documents and judges them: by the hashes that the metadata gives, by the release keys, and by
 * whether the bundle is the release that the metadata says.
 * @throws OtaError RELEASE_INCOMPLETE, RELEASE_MISMATCHED, FETCH_*, and as verifyDocuments.
 */
export async function fetchRelease(
  effects: TransferEffects,
  release: Release,
  trust: BundleTrust,
): Promise<FetchedRelease> {
  const get = async (name: string) => {
    const target = release.documents[name];
    if (target === undefined) {
      throw new OtaError('RELEASE_INCOMPLETE', `${release.directory} has no ${name} among the targets`);
    }
    return fetchTarget(effects, target, documentLimit(name));
  };
  const documents = {
    manifest: await get(MANIFEST_FILE),
    signatures: await get(SIGNATURES_FILE),
    keyList: await get(KEY_LIST_FILE),
    keyListSignatures: await get(KEY_LIST_SIGNATURES_FILE),
  };
  const verified = await verifyDocuments(documents, trust);
  checkSameRelease(release, verified.bundle);
  const list = parseTransferList(await get(TRANSFER_LIST_FILE));
  return { ...verified, documents, list };
}

/** Whether what metadata says is of this bundle, and not of one for another product or board. */
export function isOf(release: Rollout, bundle: Bundle): boolean {
  return (
    release.product === bundle.product &&
    release.version === bundle.version &&
    release.counter === bundle.counter &&
    release.released === bundle.released &&
    release.hardware.toSorted().join() === bundle.hardware.toSorted().join()
  );
}

/**
 * What decides who gets a release is said in the metadata; it is the bundle's own, or the two were mixed.
 * @throws OtaError RELEASE_MISMATCHED.
 */
export function checkSameRelease(release: Rollout, bundle: Bundle): void {
  if (!isOf(release, bundle)) {
    throw new OtaError('RELEASE_MISMATCHED', `the bundle is not release ${release.version} of the metadata`);
  }
}

/** Where a document lies in the repository. */
export const documentPath = ({ path, hashes }: TargetFile) =>
  `targets/${targetFileName(path, hashes.sha256 ?? '')}`;

/** The most that a release's document may have, bytes. */
export const documentLimit = (name: string) =>
  name === TRANSFER_LIST_FILE ? MAX_TRANSFER_LIST_BYTES : MAX_MANIFEST_BYTES;

const PACE = { headMs: 30_000, windowMs: 30_000, windowBytes: 4 * 1024 };

/** A target, whole, in memory. @throws OtaError FETCH_*, BUNDLE_OVERSIZED. */
export async function fetchTarget(
  effects: TransferEffects,
  target: TargetFile,
  maxBytes: number,
): Promise<Uint8Array> {
  const { path, length, hashes } = target;
  if (!v.is(Sha256, hashes.sha256)) throw new OtaError('METADATA_MALFORMED', `${path} has no SHA-256`);
  if (length > maxBytes) throw new OtaError('BUNDLE_OVERSIZED', `${path}: ${length} bytes are too many`);
  const expected = hashes.sha256;
  const file = documentPath(target);
  return transfer(effects, file, undefined, { ...PACE, maxBytes: length }, async ({ status, body }) => {
    if (status !== 200) throw new OtaError('FETCH_REFUSED', `${file}: the server answered ${status}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (createHash('sha256').update(bytes).digest('hex') !== expected) {
      throw new OtaError('FETCH_WRONG', `${file}: its SHA-256 is not that of the metadata`);
    }
    return bytes;
  });
}
