import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HostError } from '../../host/errors.ts';
import { createOwnedFile } from '../../host/regular-file.ts';
import { ServerError } from '../errors.ts';
import {
  type Database,
  type Durability,
  isBusy,
  type Migrations,
  type Patience,
  type Queries,
  type SqlValue,
} from './database.ts';
import { attempt, openConnection, unshared } from './sqlite-connection.ts';

/** SQLite's shared index of a journal (`-shm`), bytes: every process that opens the database needs it. */
const SHARED_INDEX_BYTES = 32 * 1024;
/** Free room, bytes, with which a database that was opened without it is shared again. */
const SHARING_BYTES = 16 * SHARED_INDEX_BYTES;

/** `user_version` is the generation times this, plus the steps taken. */
const GENERATION = 1000;

/**
 * An SQLite database (WAL, synchronous=FULL): what a call has committed survives a power cut. Reads never wait for
 * another process that writes; writes, without patience, do not either. Every call throws HostError DISK_FULL or DISK_IO,
 * or ServerError REGISTRY_DAMAGED or REGISTRY_BUSY; after the latter nothing is written, and the call can be repeated.
 * On a disk without room it opens all the same, for this process alone until there is some: what it holds can be read,
 * and what needs room is refused.
 */
export class SqliteDatabase implements Database {
  readonly #path: string;
  readonly #patience: Patience | undefined;
  #db: DatabaseSync;
  #alone = false;
  /** Whether it was closed to be shared and could not be opened again: every call tries. */
  #isLost = false;
  readonly #statements = new Map<string, StatementSync>();
  #version: unknown;
  /** Ends with the transaction under way: the connection has one at a time, and other calls wait for it. */
  #transaction: Promise<void> | undefined;
  readonly #queries: Queries = {
    query: async (sql, ...values) => this.#query(sql, values),
    one: async (sql, ...values) => this.#one(sql, values),
    run: async (sql, ...values) => this.#run(sql, values),
  };

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
      this.#changedElsewhere();
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  async query<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    while (this.#transaction !== undefined) await this.#transaction;
    return this.#query(sql, values);
  }

  async one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    while (this.#transaction !== undefined) await this.#transaction;
    return this.#one(sql, values);
  }

  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    while (this.#transaction !== undefined) await this.#transaction;
    return this.#run(sql, values);
  }

  async transaction<T>(
    work: (queries: Queries) => Promise<T>,
    durability: Durability = 'durable',
  ): Promise<T> {
    while (this.#transaction !== undefined) await this.#transaction;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#transaction = promise;
    try {
      if (durability === 'light') this.#exec('PRAGMA synchronous = NORMAL');
      try {
        return await this.#commit(work);
      } finally {
        if (durability === 'light') this.#exec('PRAGMA synchronous = FULL');
      }
    } finally {
      this.#transaction = undefined;
      resolve();
    }
  }

  async changedElsewhere(): Promise<boolean> {
    while (this.#transaction !== undefined) await this.#transaction;
    return this.#changedElsewhere();
  }

  /** Writes a consistent copy, as of now, into a file that is absent or empty. */
  async copyTo(path: string): Promise<void> {
    await this.run('VACUUM INTO $1', path);
  }

  async close(): Promise<void> {
    while (this.#transaction !== undefined) await this.#transaction;
    this.#close();
  }

  async #commit<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    this.#exec('BEGIN IMMEDIATE');
    try {
      const result = await work(this.#queries);
      this.#exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#exec('ROLLBACK');
      throw error;
    }
  }

  #query<Row>(sql: string, values: SqlValue[]): Row[] {
    return this.#attempt(() => this.#prepare(sql).all(parametersOf(values)) as Row[]);
  }

  #one<Row>(sql: string, values: SqlValue[]): Row | undefined {
    return this.#attempt(() => this.#prepare(sql).get(parametersOf(values)) as Row | undefined);
  }

  #run(sql: string, values: SqlValue[]): number {
    return this.#attempt(() => Number(this.#prepare(sql).run(parametersOf(values)).changes));
  }

  #changedElsewhere(): boolean {
    if (this.#alone && this.#freeBytes() >= SHARING_BYTES) this.#share();
    const before = this.#version;
    this.#version = this.#one<{ data_version: number }>('PRAGMA data_version', [])?.data_version;
    return this.#version !== before;
  }

  #close(): void {
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
    this.#close();
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
    this.#exec('BEGIN IMMEDIATE');
    try {
      const found = this.#userVersion();
      if (Math.floor(found / GENERATION) > generation) {
        throw new ServerError('REGISTRY_NEWER', 'the registry was written by a newer Oriel: run that one');
      }
      if (found < target) {
        for (const step of steps.slice(found % GENERATION)) this.#exec(schemaOf(step));
        this.#exec(`PRAGMA user_version = ${target}`);
      }
      this.#exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#exec('ROLLBACK');
      throw error;
    }
  }

  #userVersion(): number {
    return this.#one<{ user_version: number }>('PRAGMA user_version', [])?.user_version ?? 0;
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

/** SQLite takes `$1` for a parameter of that name. */
function parametersOf(values: readonly SqlValue[]): Record<string, SqlValue> {
  return Object.fromEntries(values.map((value, at) => [`$${at + 1}`, value]));
}

/** The port's types as SQLite names them, which checks them in STRICT tables. */
function schemaOf(step: string): string {
  return step
    .replaceAll('BIGINT', 'INTEGER')
    .replaceAll('BYTEA', 'BLOB')
    .replace(/(CREATE TABLE [^;]*\));/g, '$1 STRICT;');
}
