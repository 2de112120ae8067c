import type { Database } from './database.ts';

/** Where a registry comes from. */
export interface Origin {
  /** Names it, 32 hex digits. */
  readonly id: string;
  /** If it was restored: when the copy was made and when it was restored, ms since 1970. */
  readonly restored: { readonly madeAtMs: number; readonly atMs: number } | undefined;
}

export const ORIGIN_TABLE = `CREATE TABLE origin (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     id TEXT NOT NULL,
     copied_at INTEGER,
     restored_at INTEGER
   ) STRICT;`;

/** The registry's own row. Throws as Database does. */
export class OriginTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Undefined until it is named. */
  get(): Origin | undefined {
    const sql = 'SELECT id, copied_at, restored_at FROM origin';
    const row = this.#db.get<{ id: string; copied_at: number | null; restored_at: number | null }>(sql);
    if (row === undefined) return undefined;
    const { id, copied_at: madeAtMs, restored_at: atMs } = row;
    return { id, restored: madeAtMs === null || atMs === null ? undefined : { madeAtMs, atMs } };
  }

  /** Names it, unless it has a name. @returns the name that it has. */
  name(id: string): string {
    this.#db.run('INSERT INTO origin (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING', id);
    return this.get()?.id ?? id;
  }

  /** It is the copy made at `madeAtMs`, restored at `atMs`. */
  restored(madeAtMs: number, atMs: number): void {
    this.#db.run('UPDATE origin SET copied_at = ?, restored_at = ?', madeAtMs, atMs);
  }

  /** The operator has been told what the copy undid, and has seen to it. */
  settled(): void {
    this.#db.run('UPDATE origin SET copied_at = NULL, restored_at = NULL');
  }
}
