import { join } from 'node:path';
import { readAs } from '../host/read-as.ts';
import {
  type BundleFile,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  MAX_MANIFEST_BYTES,
  SIGNATURES_FILE,
} from './bundle.ts';
import { type FileSink, readVerified } from './bundle-files.ts';
import { OtaError } from './errors.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE } from './key-list.ts';
import { type BundleDocuments, readDocuments } from './verify-bundle.ts';

/** Where a bundle comes from on its way into a slot. Nothing that is read of it is believed. */
export interface Incoming {
  /** @throws OtaError FILE_MISSING, FILE_IRREGULAR, BUNDLE_OVERSIZED. */
  documents(): Promise<BundleDocuments>;
  /** Hands over at most one byte more than the file is to have. @throws OtaError FILE_*. */
  content(file: BundleFile, sink: FileSink): Promise<void>;
}

/**
 * What an agent has fetched: its documents, and files by their hash. Read as the agent's user, so that no path which
 * the agent can change is ever opened with the launcher's rights.
 * @param under the command that makes a process the agent's user's; none by hand.
 */
export function fetchedBundle(directory: string, under: readonly string[]): Incoming {
  const document = async (name: string) => {
    const chunks: Uint8Array[] = [];
    const keep = async (chunk: Uint8Array) => {
      chunks.push(Uint8Array.from(chunk));
    };
    if (!(await readAs(under, join(directory, name), MAX_MANIFEST_BYTES + 1, keep))) throw missing(name);
    const bytes = Buffer.concat(chunks);
    if (bytes.length > MAX_MANIFEST_BYTES) throw new OtaError('BUNDLE_OVERSIZED', `${name} is too long`);
    return bytes;
  };
  return {
    documents: async () => ({
      manifest: await document(MANIFEST_FILE),
      signatures: await document(SIGNATURES_FILE),
      keyList: await document(KEY_LIST_FILE),
      keyListSignatures: await document(KEY_LIST_SIGNATURES_FILE),
    }),
    content: async ({ sha256, size }, sink) => {
      let position = 0;
      const path = join(directory, FILES_DIRECTORY, sha256);
      const whole = await readAs(under, path, size + 1, async (bytes) => {
        await sink(bytes, position);
        position += bytes.length;
      });
      if (!whole) throw missing(sha256);
    },
  };
}

/** A bundle as a maker gives it away. */
export function wholeBundle(directory: string): Incoming {
  return {
    documents: () => readDocuments(directory),
    content: (file, sink) => readVerified(join(directory, FILES_DIRECTORY), file, sink),
  };
}

const missing = (name: string) => new OtaError('FILE_MISSING', `${name} is not there, or cannot be read`);
