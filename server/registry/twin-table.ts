import type { TwinSign } from '../fleet/twin-watch.ts';
import type { Database } from './database.ts';

/** That two cameras showed one identity. */
export interface Twins {
  readonly camera: string;
  readonly sign: TwinSign;
  /** When it was seen last, ms since 1970. */
  readonly seenAtMs: number;
}

export const TWIN_TABLE = `CREATE TABLE twins (
     camera TEXT PRIMARY KEY REFERENCES cameras (id),
     sign TEXT NOT NULL,
     seen_at INTEGER NOT NULL
   ) STRICT;`;

/** Throws as Database does. */
export class TwinTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Seen since then. */
  since(fromMs: number): Twins[] {
    const sql = 'SELECT camera, sign, seen_at FROM twins WHERE seen_at >= ? ORDER BY camera';
    return this.#db
      .all<{ camera: string; sign: TwinSign; seen_at: number }>(sql, fromMs)
      .map(({ camera, sign, seen_at }) => ({ camera, sign, seenAtMs: seen_at }));
  }

  /** A power cut may forget it. */
  see({ camera, sign, seenAtMs }: Twins): void {
    const sql = `INSERT INTO twins (camera, sign, seen_at) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET sign = excluded.sign, seen_at = excluded.seen_at`;
    this.#db.lightTransaction(() => void this.#db.run(sql, camera, sign, seenAtMs));
  }
}
