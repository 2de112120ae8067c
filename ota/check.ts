import { join } from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { MANIFEST_FILE, SIGNATURES_FILE } from './bundle.ts';
import { type FetchOptions, fetchBundle, type Slot } from './fetch-bundle.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE } from './key-list.ts';
import { type MetadataOptions, refreshMetadata } from './metadata.ts';
import { type FetchedRelease, fetchRelease, type Offer, type Release, readOffer } from './releases.ts';
import { type Candidate, type Choice, chooseRelease } from './rollout.ts';
import type { BundleDocuments, BundleTrust } from './verify-bundle.ts';

/** One look for an update, from the timestamp to a whole bundle in `incoming`. */

export interface CheckOptions extends Omit<MetadataOptions, 'disk'> {
  readonly disk: Disk;
  readonly candidate: Candidate;
  readonly trust: BundleTrust;
  /** Told what signed metadata offers, whatever comes of the release itself. */
  readonly heard?: (offer: Offer) => void;
  /** Of the releases listed, those that can be had from here; all, when it is not given. */
  readonly among?: (release: Release) => boolean;
  /** Takes one of those that the camera may install, which come newest first; the newest, when it is not given. */
  readonly choose?: (eligible: readonly Release[]) => Promise<Release | undefined>;
}

export interface Check {
  readonly offer: Offer;
  readonly choice: Choice<Release>;
  /** The documents of the release chosen, judged; undefined when there is none. */
  readonly found: FetchedRelease | undefined;
}

/**
 * Looks whether there is a release for this camera.
 * @throws OtaError as refreshMetadata and fetchRelease; HostError.
 */
export async function checkForUpdate(options: CheckOptions): Promise<Check> {
  const offer = readOffer(await refreshMetadata(options));
  options.heard?.(offer);
  const { among = () => true, choose = async ([newest]) => newest } = options;
  const choice = chooseRelease(offer.releases.filter(among), options.candidate);
  const release = await choose(choice.eligible);
  const found = release === undefined ? undefined : await fetchRelease(options, release, options.trust);
  return { offer, choice, found };
}

export interface BringOptions extends Pick<FetchOptions, 'get' | 'clock' | 'signal' | 'incoming' | 'log'> {
  readonly disk: Disk;
  readonly slots: readonly Slot[];
}

/**
 * Fetches a release's files into `incoming`, and then its documents: a manifest that lies there is of a bundle whose
 * files were all there, in `incoming/files` by their SHA-256 or in a slot.
 * @returns bytes taken from the server.
 * @throws OtaError as fetchBundle; HostError.
 */
export async function bringRelease(options: BringOptions, found: FetchedRelease): Promise<number> {
  const { disk, incoming } = options;
  await disk.unlink(join(incoming, MANIFEST_FILE));
  const { bytes } = await fetchBundle({ ...options, bundle: found.bundle, list: found.list });
  await writeDocuments(disk, incoming, found.documents);
  return bytes;
}

async function writeDocuments(disk: Disk, directory: string, documents: BundleDocuments): Promise<void> {
  const write = (name: string, bytes: Uint8Array) =>
    writeFileAtomic(disk, join(directory, name), bytes, 0o644);
  await write(KEY_LIST_FILE, documents.keyList);
  await write(KEY_LIST_SIGNATURES_FILE, documents.keyListSignatures);
  await write(SIGNATURES_FILE, documents.signatures);
  await write(MANIFEST_FILE, documents.manifest);
}
