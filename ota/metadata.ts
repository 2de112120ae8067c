import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metadata, Targets } from '@tufjs/models';
import { Updater, type UpdaterOptions } from 'tuf-js';
import { equal } from '../crypto/bytes.ts';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { HostError } from '../host/errors.ts';
import { OtaError } from './errors.ts';
import { METADATA_BASE, MetadataFetcher } from './metadata-fetcher.ts';
import type { TransferEffects } from './transfer.ts';
import { type LastRefusal, metadataError, TrustedStore } from './trusted-store.ts';
import { readTimestamp } from './tuf-metadata.ts';

/**
 * TUF metadata (The Update Framework 1.0.31, client workflow section 5), by tuf-js.
 *
 * tuf-js writes without syncing, and a file of its own that it cannot read stops it for good. So it works on a
 * private copy, and what it has accepted is then put into the trusted directory file by file, in the order in
 * which TUF accepts it: every state between two of these writes is one that TUF knows.
 */

export interface MetadataOptions extends TransferEffects {
  readonly disk: Disk;
  /** Holds what was accepted before: `root.json`, `timestamp.json` and so on. May be empty. */
  readonly directory: string;
  /** The root that came with the product, for when there is none that can be read. */
  readonly shippedRoot: Uint8Array;
  /** A directory for the private copy, on any file system. */
  readonly scratch: string;
  /** What is certainly past, ms since 1970: by it alone metadata is expired. The machine's clock is not asked. */
  readonly trustedTimeMs: number;
}

/** Bounds before parsing. */
const CONFIG: NonNullable<UpdaterOptions['config']> = {
  rootMaxLength: 128 * 1024,
  timestampMaxLength: 16 * 1024,
  snapshotMaxLength: 256 * 1024,
  targetsMaxLength: 1024 * 1024,
};
const MAX_FILE_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

/**
 * Brings the trusted metadata up to date.
 * @returns the targets that are signed for now.
 * @throws OtaError METADATA_*, FETCH_*; HostError. What was accepted before the refusal, a newer root perhaps, stays
 * accepted (TUF section 5.3.8), and nothing that was refused is kept. METADATA_EXPIRED also where nothing can be fetched,
 * and what was accepted before is past its end: whoever answers with errors alone withholds updates too.
 */
export async function refreshMetadata(options: MetadataOptions): Promise<Targets> {
  try {
    return await withUpdater(options, {}, async (updater, store) => {
      await updater.refresh();
      return (store.targets as Metadata<Targets>).signed;
    });
  } catch (error) {
    const unreached = error instanceof OtaError && error.code.startsWith('FETCH_');
    if (!unreached || !(await isOutlived(options))) throw error;
    throw new OtaError('METADATA_EXPIRED', `nothing newer than what has ended came: ${error.message}`, error);
  }
}

/** Whether the timestamp accepted last is past its end. */
async function isOutlived({ disk, directory, trustedTimeMs }: MetadataOptions): Promise<boolean> {
  const bytes = await readFileBounded(disk, join(directory, 'timestamp.json'), MAX_FILE_BYTES);
  if (bytes === undefined) return false;
  try {
    return readTimestamp(bytes).signed.isExpired(new Date(trustedTimeMs));
  } catch {
    return false;
  }
}

/**
 * Runs tuf-js on a private copy of the trusted metadata and keeps what it accepted, whatever the outcome.
 * @param extra further options for it, such as where targets are.
 */
export async function withUpdater<T>(
  options: MetadataOptions,
  extra: Partial<UpdaterOptions>,
  act: (updater: Updater, store: TrustedStore) => Promise<T>,
): Promise<T> {
  await mkdir(options.scratch, { recursive: true, mode: 0o700 });
  const copy = await mkdtemp(join(options.scratch, 'metadata-'));
  const refusal: LastRefusal = { error: undefined };
  try {
    const trusted = await readTrusted(options);
    const root = usableRoot(options, trusted.get('root.json'), refusal);
    for (const [name, bytes] of trusted) await writeFile(join(copy, name), bytes);
    await writeFile(join(copy, 'root.json'), root.bytes);
    const updater = new Updater({
      metadataDir: copy,
      metadataBaseUrl: METADATA_BASE,
      fetcher: new MetadataFetcher(options, copy, refusal),
      config: CONFIG,
      ...extra,
    });
    Reflect.set(updater, 'trustedSet', root.store);
    try {
      return await act(updater, root.store);
    } finally {
      await keepAccepted(options, trusted, root.store);
    }
  } catch (error) {
    throw error instanceof HostError ? error : metadataError(refusal.error ?? error);
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** What was accepted before, by file name. */
async function readTrusted({ disk, directory }: MetadataOptions): Promise<Map<string, Uint8Array>> {
  const trusted = new Map<string, Uint8Array>();
  const names = ((await disk.list(directory)) ?? []).filter((name) => name.endsWith('.json'));
  for (const name of names) {
    const bytes = await readFileBounded(disk, join(directory, name), MAX_FILE_BYTES);
    if (bytes !== undefined) trusted.set(name, bytes);
  }
  return trusted;
}

/** The newest root accepted, or the shipped one where that cannot be read: tuf-js mends all else by itself. */
function usableRoot(
  { shippedRoot, trustedTimeMs }: MetadataOptions,
  newest: Uint8Array | undefined,
  refusal: LastRefusal,
): { readonly bytes: Uint8Array; readonly store: TrustedStore } {
  const open = (bytes: Uint8Array) => ({
    bytes,
    store: new TrustedStore(Buffer.from(bytes), trustedTimeMs, refusal),
  });
  if (newest === undefined) return open(shippedRoot);
  try {
    return open(newest);
  } catch {
    return open(shippedRoot);
  }
}

async function keepAccepted(
  { disk, directory }: MetadataOptions,
  before: ReadonlyMap<string, Uint8Array>,
  { accepted }: TrustedStore,
): Promise<void> {
  for (const [role, bytes] of accepted) {
    const name = `${encodeURIComponent(role)}.json`;
    const known = before.get(name);
    if (known !== undefined && equal(known, bytes)) continue;
    await writeFileAtomic(disk, join(directory, name), bytes, FILE_MODE);
  }
}
