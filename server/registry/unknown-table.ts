import type { Database } from './database.ts';

/** A camera that showed a certificate of this server's own CA, and that the registry does not know. */
export interface UnknownCamera {
  readonly camera: string;
  /** When it came last, up to an hour ago; ms since 1970. */
  readonly seenAtMs: number;
}

export const UNKNOWN_TABLE = `CREATE TABLE unknown_cameras (
     camera TEXT PRIMARY KEY,
     seen_at BIGINT NOT NULL
   );`;

/** Only who once held a certificate of ours comes in here, so that it stays small. Throws as Database does. */
export class UnknownTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Those that are unknown still, newest first. */
  async all(): Promise<UnknownCamera[]> {
    const sql = `SELECT camera, seen_at FROM unknown_cameras
                 WHERE camera NOT IN (SELECT id FROM cameras) ORDER BY seen_at DESC, camera`;
    const rows = await this.#db.query<{ camera: string; seen_at: number }>(sql);
    return rows.map(({ camera, seen_at }) => ({ camera, seenAtMs: seen_at }));
  }

  async of(camera: string): Promise<UnknownCamera | undefined> {
    const sql = 'SELECT seen_at FROM unknown_cameras WHERE camera = $1';
    const row = await this.#db.one<{ seen_at: number }>(sql, camera);
    return row && { camera, seenAtMs: row.seen_at };
  }

  /** A power cut may forget it. */
  async see(camera: string, nowMs: number): Promise<void> {
    const sql = `INSERT INTO unknown_cameras (camera, seen_at) VALUES ($1, $2)
                 ON CONFLICT (camera) DO UPDATE SET seen_at = excluded.seen_at`;
    await this.#db.transaction((queries) => queries.run(sql, camera, nowMs), 'light');
  }
}
