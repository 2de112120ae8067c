import { closeSync, existsSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import * as v from 'valibot';
import { TEMPORARY_SUFFIX } from '../../host/atomic-file.ts';
import type { Clock } from '../../host/clock.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import type { FootageAccounting } from './footage-accounting.ts';
import type { KeptGaps } from './footage-gaps.ts';

const MAX_FILE_BYTES = 1024;
/** It is brought every five seconds, and so is kept every ten. */
const INTERVAL_MS = 9_000;

const microseconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const AccountFile = v.strictObject({
  version: v.literal(1),
  lives: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  capturedUs: microseconds,
  acknowledgedUs: microseconds,
  heldUs: microseconds,
  droppedUs: microseconds,
  skippedUs: microseconds,
  interruptedUs: microseconds,
  buriedUs: microseconds,
});

/** A file of its own: a release before it reads the account strictly. */
const GapsFile = v.object({
  version: v.literal(1),
  gapUs: microseconds,
  endsAtMs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

/** The account that the camera's former life left; undefined where there is none, or none that can be read. */
export function readAccount(path: string): FootageAccounting | undefined {
  const file = read(path, AccountFile);
  if (file === undefined) return undefined;
  const { version: _version, ...account } = file;
  return account;
}

/** The gaps that the camera's former life left; undefined as with the account. */
export function readGaps(path: string): KeptGaps | undefined {
  const file = read(path, GapsFile);
  return file && { gapUs: file.gapUs, endsAtMs: file.endsAtMs };
}

function read<T extends v.GenericSchema>(path: string, schema: T): v.InferOutput<T> | undefined {
  try {
    const bytes = readRegularFile(path, { maxBytes: MAX_FILE_BYTES });
    return bytes === undefined ? undefined : v.parse(schema, JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
}

/**
 * Replaces account or gaps in one step. Not synced: a power cut leaves older ones. On a disk that is full or fails the old
 * ones stay.
 */
export function writeAccount(path: string, account: FootageAccounting | KeptGaps): void {
  try {
    writeFileSync(path + TEMPORARY_SUFFIX, `${JSON.stringify({ version: 1, ...account })}\n`, {
      mode: 0o600,
    });
    renameSync(path + TEMPORARY_SUFFIX, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === undefined) throw error;
  }
}

/** Longer than any gaps are: what is written over older ones covers them. */
const GAPS_BYTES = 96;

/**
 * Writes gaps over older ones, which costs one write and no renaming: done each second, so that the life after a kill knows
 * where the footage ended. Where it fails the old ones stay.
 */
export function overwriteGaps(path: string, gaps: KeptGaps | undefined): void {
  if (gaps === undefined) return;
  if (!existsSync(path)) {
    writeAccount(path, gaps);
    return;
  }
  try {
    const file = openSync(path, 'r+');
    try {
      writeSync(file, JSON.stringify({ version: 1, ...gaps }).padEnd(GAPS_BYTES), 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if ((error as { code?: unknown }).code === undefined) throw error;
  }
}

/** Keeps account and gaps now and then, as they lie on the board's flash; and at once when a life of the agent ends. */
export class AccountKeeper {
  readonly #paths: { readonly account: string; readonly gaps: string };
  readonly #clock: Pick<Clock, 'monotonic'>;
  #keptAt = Number.NEGATIVE_INFINITY;

  constructor(paths: { readonly account: string; readonly gaps: string }, clock: Pick<Clock, 'monotonic'>) {
    this.#paths = paths;
    this.#clock = clock;
  }

  keep(account: FootageAccounting | undefined, gaps: KeptGaps | undefined, atOnce: boolean): void {
    const now = this.#clock.monotonic();
    if (account === undefined || (!atOnce && now - this.#keptAt < INTERVAL_MS)) return;
    this.#keptAt = now;
    writeAccount(this.#paths.account, account);
    if (gaps !== undefined) writeAccount(this.#paths.gaps, gaps);
  }
}
