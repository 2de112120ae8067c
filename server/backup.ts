import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asOwnerOfSync } from '../host/as-owner.ts';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { HostError } from '../host/errors.ts';
import { createOwnedFile } from '../host/regular-file.ts';
import { loadConfiguration } from './config.ts';
import { ServerError } from './errors.ts';
import type { Patience } from './registry/database.ts';
import { Registry } from './registry/registry.ts';
import { copyRegistry, REGISTRY_FILE, writeId } from './registry/registry-origin.ts';
import { MIGRATIONS } from './registry/registry-tables.ts';
import { SqliteDatabase } from './registry/sqlite.ts';

/**
 * A server's backup: one SQLite file, a copy of the registry with two tables more, `backup` (one row: when it was made)
 * and `backup_files` (configuration, keys, certificates and the root of a maker that is followed, each by its path in the
 * server's directory). Footage is not in it: its files never change once they are whole and can be copied as they are.
 */

const APPLICATION_ID = 0x4f52424b; // "ORBK"
const MAX_FILE_BYTES = 1024 * 1024;
/** What is not written anew in a directory that is restored: server.json comes last. */
const CONFIGURATION = 'server.json';
/** The root of a maker that is followed: once it is kept, no other is believed. */
const FOLLOWED_ROOT = 'mirror/root.json';

export interface Backup {
  readonly madeAtMs: number;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

export interface MadeBackup extends Backup {
  /** Paths below the directory of what lies in `identity/` and is no key or certificate of a server. */
  readonly leftOut: readonly string[];
}

/** Whether a file of a server's directory belongs in its backup: nothing else is put into one, or taken from one. */
function isKept(path: string): boolean {
  return path === CONFIGURATION || path === FOLLOWED_ROOT || /^identity\/[a-z-]+\.(?:pem|key)$/.test(path);
}

/**
 * Writes a backup of a server's directory, mode 0600 and this user's own, at once and durably; the server may run.
 * @throws ServerError; HostError.
 */
export async function makeBackup(
  disk: Disk,
  directory: string,
  file: string,
  nowMs: number,
  patience?: Patience,
): Promise<MadeBackup> {
  await loadConfiguration(disk, directory);
  const { files, leftOut } = await keptFiles(disk, directory);
  // A name that nobody can have prepared: others may write in the directory.
  const temporary = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  let isMade = false;
  try {
    // As root too it stays ours: whose directory a backup lies in says nothing of who may have the CAs' keys.
    closeSync(openSync(temporary, 'wx', 0o600));
    isMade = true;
    await copyRegistry(directory, temporary, patience);
    addFiles(temporary, { madeAtMs: nowMs, files });
    sync(temporary);
    readBackup(temporary);
    renameSync(temporary, file);
    sync(dirname(file));
  } catch (error) {
    if (isMade) rmSync(temporary, { force: true });
    throw isPlatform(error) ? new HostError('DISK_IO', `cannot write ${file}: ${error.code}`, error) : error;
  }
  return { madeAtMs: nowMs, files, leftOut };
}

/** The configuration, keys and certificates in `identity/`, and the root of the maker that is followed, if there is one. */
async function keptFiles(disk: Disk, directory: string): Promise<Pick<MadeBackup, 'files' | 'leftOut'>> {
  const names = (await disk.list(join(directory, 'identity'))) ?? [];
  const followed = (await disk.stat(join(directory, FOLLOWED_ROOT))) === undefined ? [] : [FOLLOWED_ROOT];
  const paths = [...names.map((name) => `identity/${name}`), ...followed, CONFIGURATION];
  const files = await Promise.all(
    paths.filter(isKept).map(async (path) => {
      const bytes = await readFileBounded(disk, join(directory, path), MAX_FILE_BYTES);
      if (bytes === undefined)
        throw new ServerError('DIRECTORY_MALFORMED', `${directory}/${path} is unreadable`);
      return { path, bytes };
    }),
  );
  // What ends in .tmp is left from a write that was cut off.
  return { files, leftOut: paths.filter((path) => !isKept(path) && !path.endsWith('.tmp')) };
}

function addFiles(path: string, { madeAtMs, files }: Backup): void {
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA journal_mode = MEMORY; PRAGMA application_id = ${APPLICATION_ID}; BEGIN;
      CREATE TABLE backup (made_at INTEGER NOT NULL) STRICT;
      CREATE TABLE backup_files (path TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;`);
    database.prepare('INSERT INTO backup VALUES (?)').run(madeAtMs);
    const insert = database.prepare('INSERT INTO backup_files VALUES (?, ?)');
    for (const { path: name, bytes } of files) insert.run(name, bytes);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

/**
 * Makes a server's directory, absent or empty, from a backup. Cut off anywhere it is no server's directory yet.
 * @throws ServerError BACKUP_MALFORMED, DIRECTORY_TAKEN, REGISTRY_NEWER; HostError.
 */
export async function restoreBackup(
  disk: Disk,
  file: string,
  directory: string,
  nowMs: number,
): Promise<Backup> {
  const backup = readBackup(file);
  if (!(await disk.makeDirectory(directory, 0o700)) && (await disk.list(directory))?.length !== 0) {
    throw new ServerError(
      'DIRECTORY_TAKEN',
      `${directory} is not empty: nothing was written; name another directory`,
    );
  }
  await disk.syncDirectory(dirname(directory));
  for (const name of new Set(backup.files.map(({ path }) => dirname(path)).filter((name) => name !== '.'))) {
    await disk.makeDirectory(join(directory, name), 0o700);
  }
  restoreRegistry(file, directory);
  await markRestored(directory, backup.madeAtMs, nowMs);
  const last = backup.files.filter(({ path }) => path === CONFIGURATION);
  for (const { path, bytes } of [...backup.files.filter((each) => !last.includes(each)), ...last]) {
    await writeFileAtomic(disk, join(directory, path), bytes, 0o600);
  }
  return backup;
}

function restoreRegistry(file: string, directory: string): void {
  const source = new DatabaseSync(file, { readOnly: true });
  try {
    // SQLite opens the new registry by its name: only the backup is read with root's rights.
    asOwnerOfSync(directory, () => copyOut(source, join(directory, REGISTRY_FILE)));
  } finally {
    source.close();
  }
}

function copyOut(source: DatabaseSync, path: string): void {
  createOwnedFile(path);
  source.prepare('VACUUM INTO ?').run(path);
  const copy = new DatabaseSync(path);
  // What was used since must not be used twice, and what was measured is measured anew.
  copy.exec(`DROP TABLE backup; DROP TABLE backup_files; PRAGMA application_id = 0;
    DELETE FROM claims WHERE camera IS NULL; DELETE FROM admissions; DELETE FROM requests; DELETE FROM usage`);
  copy.close();
}

/** Writes down in the restored registry that it is one. */
async function markRestored(directory: string, madeAtMs: number, nowMs: number): Promise<void> {
  const registry = new Registry(new SqliteDatabase(join(directory, REGISTRY_FILE), MIGRATIONS));
  try {
    await registry.origin.restored(madeAtMs, nowMs);
    writeId(directory, (await registry.origin.get())?.id ?? '');
  } finally {
    await registry.close();
  }
}

/** @throws ServerError BACKUP_MALFORMED. */
export function readBackup(file: string): Backup {
  const malformed = (why: string, cause?: unknown) =>
    new ServerError(
      'BACKUP_MALFORMED',
      `${file} is no backup of oriel server backup: ${why}; take another copy`,
      cause,
    );
  if (!existsSync(file)) throw malformed('it is missing');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, defensive: true });
    const { application_id: id } = database.prepare('PRAGMA application_id').get() ?? {};
    if (id !== APPLICATION_ID) throw malformed('it is of another kind');
    const { integrity_check: verdict } = database.prepare('PRAGMA integrity_check(1)').get() ?? {};
    if (verdict !== 'ok') throw malformed('it is damaged');
    const { made_at: madeAtMs } = database.prepare('SELECT made_at FROM backup').get() ?? {};
    const rows = database.prepare('SELECT path, bytes FROM backup_files ORDER BY path').all();
    const files = rows.map(({ path, bytes }) => ({ path: String(path), bytes: bytes as Uint8Array }));
    const isWhole = files.some(({ path }) => path === CONFIGURATION);
    const isOurs = files.every(({ path }) => isKept(path));
    if (typeof madeAtMs !== 'number' || !isWhole || !isOurs) throw malformed('it holds other files');
    return { madeAtMs, files };
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw malformed((error as Error).message, error);
  } finally {
    database?.close();
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function isPlatform(error: unknown): error is NodeJS.ErrnoException {
  return typeof (error as { syscall?: unknown }).syscall === 'string';
}
