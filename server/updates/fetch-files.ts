import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Disk } from '../../host/disk.ts';
import { type DayAllowance, FetchBudget } from '../../ota/day-budget.ts';
import { download } from '../../ota/download.ts';
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
  /** Without it no day has an end. */
  readonly day?: DayAllowance | undefined;
  readonly log: Log;
}

export interface Missing {
  readonly wholes: readonly WholeFile[];
  readonly deltas: readonly DeltaFile[];
  readonly bytes: number;
}

/**
 * What of a plan is not in the repository in its length. What is there has been verified before it came there.
 * @param refused paths of deltas that are of no use.
 */
export async function findMissing(
  disk: Disk,
  repository: string,
  plan: MirrorPlan,
  refused: ReadonlySet<string>,
): Promise<Missing> {
  const isMissing = async ({ path, bytes }: WholeFile) =>
    (await disk.stat(join(repository, path)))?.bytes !== bytes;
  const missing = async <T extends WholeFile>(files: Iterable<T>): Promise<T[]> => {
    const found: T[] = [];
    for (const file of files) if (await isMissing(file)) found.push(file);
    return found;
  };
  const wanted = plan.deltas.filter(({ path }) => !refused.has(path));
  const [wholes, deltas] = [await missing(plan.wholes.values()), await missing(wanted)];
  return { wholes, deltas, bytes: [...wholes, ...deltas].reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Of what has to be sent again after a connection broke. */
const AGAIN = 0.1;
const AGAIN_AT_LEAST = 64 * 1024;

export interface FetchedFiles {
  /** Taken from the server. */
  readonly bytes: number;
  /** Paths of deltas that came and were wrong. */
  readonly refused: readonly string[];
}

/**
 * @param planBytes of all that the edition has, by which a day's bytes are measured.
 * @throws OtaError FETCH_*; the signal's reason; the platform's errors.
 */
export async function fetchFiles(
  options: FetchFilesOptions,
  missing: Missing,
  planBytes: number,
): Promise<FetchedFiles> {
  const limit = missing.bytes + Math.max(AGAIN_AT_LEAST, Math.ceil(missing.bytes * AGAIN));
  const budget = new FetchBudget(limit, options.day, planBytes);
  const refused: string[] = [];
  for (const directory of [
    options.partial,
    join(options.repository, 'files'),
    join(options.repository, 'deltas'),
  ]) {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  }
  for (const file of missing.wholes) await fetchOne(options, file, budget);
  for (const file of missing.deltas) {
    if ((await fetchDelta(options, file, budget)) === 'wrong') refused.push(file.path);
  }
  for (const name of ['files', 'deltas']) await options.disk.syncDirectory(join(options.repository, name));
  return { bytes: budget.taken, refused };
}

/** Codes of deltas that are left out: a camera then takes the whole file. */
const LEFT_OUT = {
  FETCH_WRONG: 'wrong',
  FETCH_ENDLESS: 'wrong',
  FETCH_REFUSED: 'absent',
  FETCH_DAY: 'absent',
} as const;

async function fetchDelta(
  options: FetchFilesOptions,
  file: DeltaFile,
  budget: FetchBudget,
): Promise<'here' | 'absent' | 'wrong'> {
  try {
    const base = join(options.repository, wholePath(file.from));
    const dictionary = await readCompressed(base, MAX_DELTA_FILE_BYTES);
    await fetchOne(options, file, budget, dictionary);
    return 'here';
  } catch (error) {
    const code = error instanceof OtaError ? error.code : '';
    if (!isLeftOut(code)) throw error;
    options.log.warn({ file: file.path, code }, 'a delta is left out; cameras take the whole file');
    return LEFT_OUT[code];
  }
}

const isLeftOut = (code: string): code is keyof typeof LEFT_OUT => Object.hasOwn(LEFT_OUT, code);

async function fetchOne(
  options: FetchFilesOptions,
  file: WholeFile,
  budget: FetchBudget,
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
