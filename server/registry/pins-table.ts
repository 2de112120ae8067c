import type { Database } from './database.ts';

export const PINS_TABLE = `CREATE TABLE pins (
     camera TEXT PRIMARY KEY REFERENCES cameras (id),
     statement BLOB NOT NULL,
     put_at INTEGER NOT NULL
   ) STRICT;`;

/** Owners' pin statements, each for its camera to fetch: the newest that was left here. Throws as Database does. */
export class PinsTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The statement's bytes; undefined while there is none. */
  of(camera: string): Uint8Array | undefined {
    return this.#db.get<{ statement: Uint8Array }>('SELECT statement FROM pins WHERE camera = ?', camera)
      ?.statement;
  }

  /** @param camera one that the registry knows. */
  put(camera: string, statement: Uint8Array, nowMs: number): void {
    const sql = `INSERT INTO pins (camera, statement, put_at) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET statement = excluded.statement, put_at = excluded.put_at`;
    this.#db.run(sql, camera, statement, nowMs);
  }
}
