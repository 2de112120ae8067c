import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, FILES_DIRECTORY } from './bundle.ts';
import { type Content, readContent } from './bundle-files.ts';
import { type DayAllowance, FetchBudget } from './day-budget.ts';
import { download } from './download.ts';
import { OtaError } from './errors.ts';
import type { TransferEffects } from './transfer.ts';
import {
  type Download,
  deltaPath,
  MAX_DELTA_FILE_BYTES,
  planDownloads,
  type TransferList,
  wholePath,
} from './transfer-list.ts';
import { decompressFile } from './zstd.ts';

/**
 * Fetches what a bundle has and no slot, into `incoming/files`, each file under its SHA-256. Every byte that is taken
 * for good was verified; what breaks off is gone on with by the next call, after a restart too.
 */

/** A bundle that is here already: its directory, and what its manifest lists. */
export interface Slot {
  readonly directory: string;
  readonly bundle: Pick<Bundle, 'files'>;
}

export interface FetchOptions extends TransferEffects {
  readonly bundle: Pick<Bundle, 'files'>;
  readonly list: TransferList;
  /** Made when it is not there. */
  readonly incoming: string;
  readonly slots: readonly Slot[];
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Without it no day has an end. */
  readonly day?: DayAllowance;
}

export interface Fetched {
  /** Bytes taken from the server. */
  readonly bytes: number;
  /** Where each content of the bundle lies, by SHA-256. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Below `incoming`. */
const PARTIAL_DIRECTORY = 'partial';

/** @throws OtaError FETCH_*, FILE_*; the signal's reason; the platform's errors. */
export async function fetchBundle(options: FetchOptions): Promise<Fetched> {
  const { bundle, list, incoming, log } = options;
  await mkdir(join(incoming, FILES_DIRECTORY), { recursive: true, mode: 0o700 });
  await mkdir(join(incoming, PARTIAL_DIRECTORY), { recursive: true, mode: 0o700 });
  const sources = await findContents(options);
  const plan = planDownloads(bundle, list, new Set(sources.keys()));
  await removeOthers(options, plan.downloads);
  const { expectedBytes, limitBytes, downloads } = plan;
  log('fetching the update', { files: downloads.length, expectedBytes, limitBytes });
  const budget = new FetchBudget(limitBytes, options.day);
  for (const one of downloads) {
    sources.set(one.sha256, await fetchContent(options, one, sources, budget));
  }
  return { bytes: budget.taken, sources };
}

/**
 * Where the contents of a bundle lie already, verified: in `incoming` or in a slot. Contents of a slot that may serve
 * as dictionary are listed too.
 */
export async function findContents({
  bundle,
  list,
  incoming,
  slots,
}: Pick<FetchOptions, 'bundle' | 'list' | 'incoming' | 'slots'>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const wanted = new Set(bundle.files.map(({ sha256 }) => sha256));
  const lookAt = async (path: string, content: Content) => {
    if (!found.has(content.sha256) && (await holds(path, content))) found.set(content.sha256, path);
  };
  for (const { size, sha256 } of bundle.files) {
    await lookAt(join(incoming, FILES_DIRECTORY, sha256), { size, sha256 });
  }
  const dictionaries = new Set(list.deltas.filter(({ to }) => !found.has(to)).map(({ from }) => from));
  for (const { directory, bundle: there } of slots) {
    for (const { path, size, sha256 } of there.files) {
      const dictionary = dictionaries.has(sha256) && size <= MAX_DELTA_FILE_BYTES;
      if (!wanted.has(sha256) && !dictionary) continue;
      await lookAt(join(directory, FILES_DIRECTORY, path), { size, sha256 });
    }
  }
  return found;
}

async function holds(path: string, content: Content): Promise<boolean> {
  try {
    await readContent(path, content);
    return true;
  } catch (error) {
    if (error instanceof OtaError) return false;
    throw error;
  }
}

/** Removes what earlier updates left that this one has no use for. */
async function removeOthers(
  { bundle, incoming }: FetchOptions,
  downloads: readonly Download[],
): Promise<void> {
  const files = new Set(bundle.files.map(({ sha256 }) => sha256));
  const partial = new Set(
    downloads.flatMap((one) => [partialName(one), partialName({ sha256: one.sha256 })]),
  );
  for (const [directory, keep] of [
    [FILES_DIRECTORY, files],
    [PARTIAL_DIRECTORY, partial],
  ] as const) {
    for (const name of await readdir(join(incoming, directory))) {
      if (!keep.has(name)) await rm(join(incoming, directory, name), { recursive: true });
    }
  }
}

async function fetchContent(
  options: FetchOptions,
  one: Download,
  sources: ReadonlyMap<string, string>,
  budget: FetchBudget,
): Promise<string> {
  if (one.from === undefined) return fetchOne(options, one, budget);
  try {
    return await fetchOne(options, one, budget, await readDictionary(sources.get(one.from) ?? ''));
  } catch (error) {
    const code = error instanceof OtaError ? error.code : undefined;
    if (code !== 'FETCH_WRONG' && code !== 'FETCH_REFUSED' && code !== 'FETCH_ENDLESS') throw error;
    options.log('a delta is of no use; fetching the whole file', { sha256: one.sha256, code });
    const bytes = options.list.files.find(({ sha256 }) => sha256 === one.sha256)?.bytes ?? 0;
    return fetchOne(options, { sha256: one.sha256, size: one.size, bytes }, budget);
  }
}

/** @throws OtaError FETCH_WRONG for a file too large to lie in memory, which no delta is made to. */
async function readDictionary(path: string): Promise<Uint8Array> {
  const { size } = await stat(path);
  if (size > MAX_DELTA_FILE_BYTES) throw new OtaError('FETCH_WRONG', `${size} bytes are no dictionary`);
  return readFile(path);
}

async function fetchOne(
  options: FetchOptions,
  one: Download,
  budget: FetchBudget,
  dictionary?: Uint8Array,
): Promise<string> {
  const { sha256, size, bytes, from } = one;
  const path = from === undefined ? wholePath(sha256) : deltaPath(from, sha256);
  if (bytes === 0) throw new OtaError('RELEASE_INCOMPLETE', `${path} is not on the transfer list`);
  const partial = join(options.incoming, PARTIAL_DIRECTORY, partialName(one));
  const unverified = `${partial}.content`;
  const place = join(options.incoming, FILES_DIRECTORY, sha256);
  try {
    await download(options, path, partial, bytes, budget);
    await rm(unverified, { force: true });
    await decompressFile(partial, unverified, { size, sha256 }, dictionary);
  } catch (error) {
    // Gone on with, it would be wrong again.
    const code = error instanceof OtaError ? error.code : undefined;
    if (code === 'FETCH_WRONG' || code === 'FETCH_ENDLESS') await rm(partial, { force: true });
    throw error;
  }
  await rename(unverified, place);
  await rm(partial);
  return place;
}

function partialName({ sha256, from }: Pick<Download, 'sha256' | 'from'>): string {
  return from === undefined ? sha256 : `${from}-${sha256}`;
}
