import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { asOwnerOfSync } from '../../host/as-owner.ts';
import { HostError, platformRemedy } from '../../host/errors.ts';
import { createOwnedFile } from '../../host/owned-file.ts';
import { ServerError } from '../errors.ts';

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const DISK_CODES = new Set([6, 8, 10, 14]); // LOCKED, READONLY, IOERR, CANTOPEN
const DAMAGE_CODES = new Set([11, 26]); // CORRUPT, NOTADB

export interface Migrations {
  /**
   * Raised when an older program could not read the tables any more. Within a generation a step only adds tables,
   * and columns with a default, so that a program opens what a newer one wrote.
   */
  readonly generation: number;
  /** SQL of each step, oldest first; never changed once released. */
  readonly steps: readonly string[];
}

/** SQLite's shared index of a journal (`-shm`), bytes: every process that opens the database needs it. */
const SHARED_INDEX_BYTES = 32 * 1024;
/** Free room, bytes, with which a database that was opened without it is shared again. */
const SHARING_BYTES = 16 * SHARED_INDEX_BYTES;

/** `user_version` is the generation times this, plus the steps taken. */
const GENERATION = 1000;

/**
 * How long a connection waits while another process writes. `node:sqlite` is synchronous: the whole process stands still
 * meanwhile, so this is for commands only.
 */
export interface Patience {
  readonly waitMs: number;
  /** Called before it begins to wait. */
  waiting(): void;
  /** The message of REGISTRY_BUSY, once it has waited in vain. */
  gaveUp(): string;
}

/**
 * An SQLite database (WAL, synchronous=FULL): what a call has committed survives a power cut. Reads never wait for
 * another process that writes; writes, without patience, do not either. Every call throws HostError DISK_FULL or DISK_IO,
 * or ServerError REGISTRY_DAMAGED or REGISTRY_BUSY; after the latter nothing is written, and the call can be repeated.
 * On a disk without room it opens all the same, for this process alone until there is some: what it holds can be read,
 * and what needs room is refused.
 */
export class Database {
  readonly #path: string;
  readonly #patience: Patience | undefined;
  #db: DatabaseSync;
  #alone = false;
  /** Whether it was closed to be shared and could not be opened again: every call tries. */
  #isLost = false;
  readonly #statements = new Map<string, StatementSync>();
  #version: unknown;

  /**
   * Opens or creates it, mode 0600, and migrates it.
   * @param blank called before tables are made in a file that has none; what it throws leaves the file as it is.
   * @throws ServerError REGISTRY_NEWER as well.
   */
  constructor(path: string, migrations: Migrations, patience?: Patience, blank?: () => void) {
    this.#path = path;
    this.#patience = patience;
    // Its journals get its mode and its owner: SQLite sees to that.
    if (path !== ':memory:') attempt(() => createOwnedFile(path));
    this.#db = this.#connect();
    try {
      if (this.#userVersion() === 0) blank?.();
      this.#migrate(migrations);
      this.changedElsewhere();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#attempt(() => this.#prepare(sql).get(...values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#attempt(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /** The number of rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#attempt(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** All that `work` writes is committed, or, when it throws, none. */
  transaction<T>(work: () => T): T {
    this.#exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#exec('ROLLBACK');
      throw error;
    }
  }

  /** As `transaction`, but a power cut may undo it: nothing waits for the disk. */
  lightTransaction<T>(work: () => T): T {
    this.#exec('PRAGMA synchronous = NORMAL');
    try {
      return this.transaction(work);
    } finally {
      this.#exec('PRAGMA synchronous = FULL');
    }
  }

  /** Whether another connection has committed anything since the last call. */
  changedElsewhere(): boolean {
    if (this.#alone && this.#freeBytes() >= SHARING_BYTES) this.#share();
    const before = this.#version;
    this.#version = this.get<{ data_version: number }>('PRAGMA data_version')?.data_version;
    return this.#version !== before;
  }

  /** Writes a consistent copy, as of now, into a file that is absent or empty. */
  copyTo(path: string): void {
    this.run('VACUUM INTO ?', path);
  }

  close(): void {
    this.#isLost = false;
    if (this.#db.isOpen) this.#db.close();
  }

  #connect(): DatabaseSync {
    const waitMs = this.#patience?.waitMs ?? 0;
    try {
      return openConnection(this.#path, [], waitMs);
    } catch (error) {
      const isFull = this.#freeBytes() < SHARED_INDEX_BYTES;
      if (isFull && isBusy(error)) throw unshared(error);
      if (!isFull || !(error instanceof HostError)) throw error;
      this.#alone = true;
      // The index is kept in this process's memory then, and every other process is kept out.
      try {
        return openConnection(this.#path, ['PRAGMA locking_mode = EXCLUSIVE'], waitMs);
      } catch (cause) {
        throw cause instanceof HostError || isBusy(cause) ? unshared(cause) : cause;
      }
    }
  }

  /** Lets other processes at it again. One of them may be the first at it: then it stays closed until the next call. */
  #share(): void {
    this.#statements.clear();
    this.close();
    this.#alone = false;
    this.#isLost = true;
    this.#db = this.#connect();
    this.#isLost = false;
  }

  #connection(): DatabaseSync {
    if (this.#isLost) this.#share();
    return this.#db;
  }

  #freeBytes(): number {
    if (this.#path === ':memory:') return Number.POSITIVE_INFINITY;
    const { bavail, bsize } = attempt(() => statfsSync(dirname(this.#path)));
    return bavail * bsize;
  }

  #migrate({ generation, steps }: Migrations): void {
    const target = generation * GENERATION + steps.length;
    if (this.#userVersion() === target) return;
    this.transaction(() => {
      const found = this.#userVersion();
      if (Math.floor(found / GENERATION) > generation) {
        throw new ServerError('REGISTRY_NEWER', 'the registry was written by a newer Oriel: run that one');
      }
      if (found >= target) return;
      for (const step of steps.slice(found % GENERATION)) this.#exec(step);
      this.#exec(`PRAGMA user_version = ${target}`);
    });
  }

  #userVersion(): number {
    return this.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  }

  #exec(sql: string): void {
    this.#attempt(() => this.#connection().exec(sql));
  }

  /** Within a transaction nothing is busy: it holds the lock from its beginning. */
  #attempt<T>(operation: () => T): T {
    try {
      return attempt(operation);
    } catch (error) {
      if (this.#patience === undefined || this.#isLost || !isBusy(error)) throw error;
    }
    this.#patience.waiting();
    this.#db.exec(`PRAGMA busy_timeout = ${this.#patience.waitMs}`);
    try {
      return attempt(operation);
    } catch (error) {
      throw isBusy(error) ? new ServerError('REGISTRY_BUSY', this.#patience.gaveUp(), error) : error;
    } finally {
      this.#db.exec('PRAGMA busy_timeout = 0');
    }
  }

  #prepare(sql: string): StatementSync {
    const connection = this.#connection();
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Root does it with the rights of the directory's owner, who may have laid a link under one of its names.
 * @param waitMs how long to wait for another process while it is opened.
 */
function openConnection(path: string, first: readonly string[], waitMs: number): DatabaseSync {
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

function attempt<T>(operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw databaseError(cause);
  }
}

/** Whether another process writes at the moment: the same call works later. */
export function isBusy(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'REGISTRY_BUSY';
}

/** A server that started on a full disk has the database to itself until there is room. */
function unshared(cause: unknown): HostError {
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
        'the registry is damaged: stop the server. With a backup: oriel server restore FILE NEW_DIR; without one: oriel server new-registry DIR',
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
