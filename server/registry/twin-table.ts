import type { Database } from './database.ts';

/**
 * Signs that two cameras show one identity, as after copying a camera's card: both hold its key, and neither TLS nor a
 * signature tells them apart. Only what they do side by side does.
 */

export type TwinSign =
  /** Two sessions of one number, or after the same one: each camera goes on from where the card was copied. */
  | 'sessions'
  /** Control connections that replace each other in turn, while both are alive. */
  | 'connections';

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
     seen_at BIGINT NOT NULL
   );`;

/** Throws as Database does. */
export class TwinTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Seen since then. */
  async since(fromMs: number): Promise<Twins[]> {
    const sql = 'SELECT camera, sign, seen_at FROM twins WHERE seen_at >= $1 ORDER BY camera';
    const rows = await this.#db.query<{ camera: string; sign: TwinSign; seen_at: number }>(sql, fromMs);
    return rows.map(({ camera, sign, seen_at }) => ({ camera, sign, seenAtMs: seen_at }));
  }

  /** A power cut may forget it. */
  async see({ camera, sign, seenAtMs }: Twins): Promise<void> {
    const sql = `INSERT INTO twins (camera, sign, seen_at) VALUES ($1, $2, $3)
                 ON CONFLICT (camera) DO UPDATE SET sign = excluded.sign, seen_at = excluded.seen_at`;
    await this.#db.transaction((queries) => queries.run(sql, camera, sign, seenAtMs), 'light');
  }
}
