import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Bundle,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  MAX_MANIFEST_BYTES,
  parseBundle,
  SIGNATURES_FILE,
} from './bundle.ts';
import { verifyFiles } from './bundle-files.ts';
import { OtaError } from './errors.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, type KeyList, verifyKeyList } from './key-list.ts';
import { checkSignatures, type KeyRing, parseSignatures } from './signatures.ts';

/** What a camera holds a bundle to. */
export interface BundleTrust {
  /** The root keys of the anchor. */
  readonly root: KeyRing;
  /** Counter of the newest key list obeyed; 0 when there is none. */
  readonly keysCounter: number;
  readonly product: string;
  /** The board that this is. */
  readonly hardware: string;
}

/** A bundle's four documents, as they were read. */
export interface BundleDocuments {
  readonly manifest: Uint8Array;
  readonly signatures: Uint8Array;
  readonly keyList: Uint8Array;
  readonly keyListSignatures: Uint8Array;
}

export interface VerifiedBundle {
  readonly bundle: Bundle;
  /** To be obeyed from now on: its counter becomes the next `keysCounter`. */
  readonly keys: KeyList;
}

/**
 * Judges what a bundle says of itself, before any of its files is looked at. Whether it is newer than what runs
 * is for another to say.
 * @throws OtaError BUNDLE_OVERSIZED, SIGNATURES_MALFORMED, SIGNATURES_MISSING, KEYS_OUTDATED, BUNDLE_MALFORMED,
 * BUNDLE_PATH_REFUSED, BUNDLE_PATH_REPEATED, PRODUCT_FOREIGN, HARDWARE_FOREIGN.
 */
export async function verifyDocuments(
  documents: BundleDocuments,
  trust: BundleTrust,
): Promise<VerifiedBundle> {
  const { manifest, signatures, keyList, keyListSignatures } = documents;
  const keys = await verifyKeyList(keyList, keyListSignatures, trust.root, trust.keysCounter);
  if (manifest.length > MAX_MANIFEST_BYTES) throw oversized(MANIFEST_FILE);
  await checkSignatures(MANIFEST_FILE, manifest, parseSignatures(signatures), keys);
  const bundle = parseBundle(manifest);
  if (bundle.product !== trust.product) {
    throw new OtaError('PRODUCT_FOREIGN', `the bundle is for ${bundle.product}, not for ${trust.product}`);
  }
  if (!bundle.hardware.includes(trust.hardware)) {
    const boards = bundle.hardware.join(', ');
    throw new OtaError('HARDWARE_FOREIGN', `the bundle is for ${boards}, not for ${trust.hardware}`);
  }
  return { bundle, keys };
}

/**
 * Judges a bundle in a directory whole: its documents, and that `files` holds what the manifest lists and nothing else.
 * @throws OtaError as verifyDocuments, and FILE_MISSING, FILE_UNKNOWN, FILE_IRREGULAR, FILE_ALTERED.
 */
export async function verifyBundle(directory: string, trust: BundleTrust): Promise<VerifiedBundle> {
  const verified = await verifyDocuments(await readDocuments(directory), trust);
  await verifyFiles(join(directory, FILES_DIRECTORY), verified.bundle.files);
  return verified;
}

/** @throws OtaError FILE_MISSING, FILE_IRREGULAR, BUNDLE_OVERSIZED. */
export async function readDocuments(directory: string): Promise<BundleDocuments> {
  const read = (name: string) => readDocument(directory, name);
  return {
    manifest: await read(MANIFEST_FILE),
    signatures: await read(SIGNATURES_FILE),
    keyList: await read(KEY_LIST_FILE),
    keyListSignatures: await read(KEY_LIST_SIGNATURES_FILE),
  };
}

async function readDocument(directory: string, name: string): Promise<Uint8Array> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(join(directory, name), flags).catch((cause: { code?: unknown }) => {
    if (cause.code === 'ELOOP') throw new OtaError('FILE_IRREGULAR', `${name} is a symbolic link`, cause);
    if (cause.code === 'ENOENT' && name === SIGNATURES_FILE) {
      throw new OtaError(
        'SIGNATURES_MISSING',
        `nobody has signed ${directory} yet: it has no ${name}`,
        cause,
      );
    }
    if (cause.code === 'ENOENT') throw new OtaError('FILE_MISSING', `${name} is not there`, cause);
    throw cause;
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new OtaError('FILE_IRREGULAR', `${name} is no regular file`);
    if (stats.size > MAX_MANIFEST_BYTES) throw oversized(name);
    const buffer = Buffer.alloc(stats.size);
    const { bytesRead } = await handle.read(buffer, 0, stats.size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function oversized(name: string): OtaError {
  return new OtaError('BUNDLE_OVERSIZED', `${name} is longer than ${MAX_MANIFEST_BYTES} bytes`);
}
