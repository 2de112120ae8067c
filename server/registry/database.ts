import { ServerError } from '../errors.ts';

/**
 * The database port. Tables are written once, for whichever database runs them; node:sqlite is the only driver yet
 * (sqlite.ts). What the port asks of SQL, so that PostgreSQL runs the same text:
 *
 * - parameters are `$1`, `$2`, …, each of the type of the column that it meets;
 * - types are TEXT, BIGINT and BYTEA (a driver writes them as its own);
 * - an upsert names its conflict target, and qualifies columns that are there twice;
 * - no PRAGMA, no rowid, no function that only one of them has.
 *
 * Isolation is READ COMMITTED: each statement sees what was committed before it, and another transaction may commit
 * between two statements. A decision is therefore one statement whose row count, or RETURNING, tells how it fell.
 */

/** Text, a whole number of at most 53 bits, bytes, or NULL. */
export type SqlValue = string | number | Uint8Array | null;

/** Every call rejects with HostError DISK_FULL or DISK_IO, or ServerError REGISTRY_DAMAGED or REGISTRY_BUSY. */
export interface Queries {
  /** All rows. */
  query<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]>;
  /** The first row; undefined when there is none. */
  one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined>;
  /** The number of rows that were changed. */
  run(sql: string, ...values: SqlValue[]): Promise<number>;
}

/** `light`: a power cut may undo it, and nothing waits for the disk. */
export type Durability = 'durable' | 'light';

export interface Database extends Queries {
  /**
   * All that `work` writes is committed, or, when it rejects, none. After REGISTRY_BUSY nothing is written, and the
   * call can be repeated.
   * @param work uses only the queries that it is given, and waits for nothing else.
   */
  transaction<T>(work: (queries: Queries) => Promise<T>, durability?: Durability): Promise<T>;
  /** Whether another connection has committed anything since the last call. */
  changedElsewhere(): Promise<boolean>;
  /** Ends the connection, after the transaction under way. */
  close(): Promise<void>;
}

export interface Migrations {
  /**
   * Raised when an older program could not read the tables any more. Within a generation a step only adds tables,
   * and columns with a default, so that a program opens what a newer one wrote.
   */
  readonly generation: number;
  /** SQL of each step, oldest first; never changed once released. */
  readonly steps: readonly string[];
}

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

/** Whether another process writes at the moment: the same call works later. */
export function isBusy(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'REGISTRY_BUSY';
}
