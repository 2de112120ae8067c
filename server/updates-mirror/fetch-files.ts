import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Disk } from '../../host/disk.ts';
import { type ByteBudget, download } from '../../ota/download.ts';
import { OtaError } from '../../ota/errors.ts';
import type { TransferEffects } from '../../ota/transfer.ts';
import { MAX_DELTA_FILE_BYTES, wholePath } from '../../ota/transfer-list.ts';
import { readCompressed, verifyCompressed } from '../../ota/zstd.ts';
import type { Log } from '../log.ts';
import type { DeltaFile, MirrorPlan, WholeFile } from './plan.ts';

/** Fetches the files of bundles into a mirror's repository, each verified by its content before it gets its name there. */

export interface FetchFilesOptions extends TransferEffects {
  readonly disk: Disk;
  readonly repository: string;
  /** A directory on the same file system: what breaks off there is gone on with. */
  readonly partial: string;
  readonly log: Log;
}

export interface Missing {
  readonly wholes: readonly WholeFile[];
  readonly deltas: readonly DeltaFile[];
  readonly bytes: number;
}

/** What of a plan is not in the repository in its length. What is there has been verified before it came there. */
export async function findMissing(disk: Disk, repository: string, plan: MirrorPlan): Promise<Missing> {
  const isMissing = async ({ path, bytes }: WholeFile) =>
    (await disk.stat(join(repository, path)))?.bytes !== bytes;
  const missing = async <T extends WholeFile>(files: Iterable<T>): Promise<T[]> => {
    const found: T[] = [];
    for (const file of files) if (await isMissing(file)) found.push(file);
    return found;
  };
  const [wholes, deltas] = [await missing(plan.wholes.values()), await missing(plan.deltas)];
  return { wholes, deltas, bytes: [...wholes, ...deltas].reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Of what has to be sent again after a connection broke. */
const AGAIN = 0.1;
const AGAIN_AT_LEAST = 64 * 1024;

/**
 * @returns bytes taken from the server.
 * @throws OtaError FETCH_*; the signal's reason; the platform's errors.
 */
export async function fetchFiles(options: FetchFilesOptions, missing: Missing): Promise<number> {
  const limit = missing.bytes + Math.max(AGAIN_AT_LEAST, Math.ceil(missing.bytes * AGAIN));
  const budget: ByteBudget = { bytes: limit };
  for (const directory of [
    options.partial,
    join(options.repository, 'files'),
    join(options.repository, 'deltas'),
  ]) {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  }
  for (const file of missing.wholes) await fetchOne(options, file, budget);
  for (const file of missing.deltas) await fetchDelta(options, file, budget);
  for (const name of ['files', 'deltas']) await options.disk.syncDirectory(join(options.repository, name));
  return limit - budget.bytes;
}

/** A delta that is not there or wrong is left out: a camera then takes the whole file. */
async function fetchDelta(options: FetchFilesOptions, file: DeltaFile, budget: ByteBudget): Promise<void> {
  try {
    const base = join(options.repository, wholePath(file.from));
    const dictionary = await readCompressed(base, MAX_DELTA_FILE_BYTES);
    await fetchOne(options, file, budget, dictionary);
  } catch (error) {
    const code = error instanceof OtaError ? error.code : undefined;
    if (code !== 'FETCH_WRONG' && code !== 'FETCH_REFUSED' && code !== 'FETCH_ENDLESS') throw error;
    options.log.warn({ file: file.path, code }, 'a delta is of no use; cameras take the whole file');
  }
}

async function fetchOne(
  options: FetchFilesOptions,
  file: WholeFile,
  budget: ByteBudget,
  dictionary?: Uint8Array,
): Promise<void> {
  const { path, bytes, size, sha256 } = file;
  const partial = join(options.partial, basename(path));
  try {
    await download(options, path, partial, bytes, budget);
    await verifyCompressed(partial, { size, sha256 }, dictionary, options.signal);
  } catch (error) {
    // Gone on with, it would be wrong again.
    const code = error instanceof OtaError ? error.code : undefined;
    if (code === 'FETCH_WRONG' || code === 'FETCH_ENDLESS') await rm(partial, { force: true });
    throw error;
  }
  await makeDurable(partial);
  await rename(partial, join(options.repository, path));
}

async function makeDurable(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR);
  try {
    await file.chmod(0o644);
    await file.datasync();
  } finally {
    await file.close();
  }
}
