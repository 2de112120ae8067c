import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asOwnerOfSync } from '../../host/as-owner.ts';
import { HostError, platformRemedy } from '../../host/errors.ts';
import { ServerError } from '../errors.ts';

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const DISK_CODES = new Set([6, 8, 10, 14]); // LOCKED, READONLY, IOERR, CANTOPEN
const DAMAGE_CODES = new Set([11, 26]); // CORRUPT, NOTADB

/**
 * Root does it with the rights of the directory's owner, who may have laid a link under one of its names.
 * @param waitMs how long to wait for another process while it is opened.
 */
export function openConnection(path: string, first: readonly string[], waitMs: number): DatabaseSync {
  const open = () => {
    const db = new DatabaseSync(path, {
      timeout: waitMs,
      enableForeignKeyConstraints: true,
      defensive: true,
    });
    try {
      const pragmas = [
        'journal_mode = WAL',
        'synchronous = FULL',
        'trusted_schema = OFF',
        'busy_timeout = 0',
      ];
      for (const sql of [...first, ...pragmas.map((pragma) => `PRAGMA ${pragma}`)]) db.exec(sql);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  };
  return attempt(() => (path === ':memory:' ? open() : asOwnerOfSync(dirname(path), open)));
}

/** @throws as Queries do, for what node:sqlite and the disk throw. */
export function attempt<T>(operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw databaseError(cause);
  }
}

/** A server that started on a full disk has the database to itself until there is room. */
export function unshared(cause: unknown): HostError {
  const message =
    'the registry cannot be shared with the server that runs: its disk is full, make room first';
  return new HostError('DISK_FULL', message, cause);
}

const DISK_REMEDY =
  'its disk fails or is mounted read-only (the kernel says why: dmesg), or this user may not write there';

/** The messages of SQLite may quote values: none of them is passed on. */
function databaseError(cause: unknown): unknown {
  const { code, errcode } = cause as { code?: string; errcode?: number };
  if (code === 'ERR_SQLITE_ERROR') {
    const primary = (errcode ?? 0) & 0xff;
    if (primary === SQLITE_BUSY)
      return new ServerError('REGISTRY_BUSY', 'another process holds the registry', cause);
    if (primary === SQLITE_FULL)
      return new HostError(
        'DISK_FULL',
        'cannot write the registry: its disk is full, make room first',
        cause,
      );
    if (DISK_CODES.has(primary))
      return new HostError('DISK_IO', `cannot use the registry: SQLite ${primary}; ${DISK_REMEDY}`, cause);
    if (DAMAGE_CODES.has(primary)) {
      return new ServerError(
        'REGISTRY_DAMAGED',
        'the registry is damaged: stop the server. With a backup: oriel server restore NEW_DIR FILE; without one: oriel server new-registry DIR',
        cause,
      );
    }
    return cause;
  }
  const isPlatform = typeof (cause as { syscall?: unknown }).syscall === 'string';
  return isPlatform
    ? new HostError('DISK_IO', `cannot open the registry: ${code}${platformRemedy(code)}`, cause)
    : cause;
}
