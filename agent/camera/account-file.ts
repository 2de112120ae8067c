import { renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { TEMPORARY_SUFFIX } from '../../host/atomic-file.ts';
import type { Clock } from '../../host/clock.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import type { Account } from '../recording/account.ts';

const MAX_FILE_BYTES = 1024;
const INTERVAL_MS = 10_000;

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

/** The account that the camera's former life left; undefined where there is none, or none that can be read. */
export function readAccount(path: string): Account | undefined {
  try {
    const bytes = readRegularFile(path, { maxBytes: MAX_FILE_BYTES });
    if (bytes === undefined) return undefined;
    const { version: _version, ...account } = v.parse(AccountFile, JSON.parse(bytes.toString('utf8')));
    return account;
  } catch {
    return undefined;
  }
}

/**
 * Replaces the account in one step. Not synced: a power cut leaves an older one. On a disk that is full or fails the old one stays.
 */
export function writeAccount(path: string, account: Account): void {
  try {
    writeFileSync(path + TEMPORARY_SUFFIX, `${JSON.stringify({ version: 1, ...account })}\n`, {
      mode: 0o600,
    });
    renameSync(path + TEMPORARY_SUFFIX, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === undefined) throw error;
  }
}

/** Keeps the account now and then, as it lies on the board's flash; and at once when a life of the agent ends. */
export function accountKeeper(
  path: string,
  clock: Clock,
): (account: Account | undefined, now: boolean) => void {
  let keptAt = Number.NEGATIVE_INFINITY;
  return (account, now) => {
    if (account === undefined || (!now && clock.monotonic() - keptAt < INTERVAL_MS)) return;
    keptAt = clock.monotonic();
    writeAccount(path, account);
  };
}
