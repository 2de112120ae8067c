import type { Database } from './database.ts';

/** What a camera's footage takes up. */
export interface CameraUsage {
  readonly camera: string;
  readonly bytes: number;
  readonly sessions: number;
}

export const USAGE_TABLE = `CREATE TABLE usage (
     camera TEXT PRIMARY KEY REFERENCES cameras (id),
     bytes BIGINT NOT NULL,
     sessions BIGINT NOT NULL
   );`;

/** A row for each camera whose footage was measured, kept in step with what it uploads. Throws as Database does. */
export class UsageTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async all(): Promise<CameraUsage[]> {
    return this.#db.query<CameraUsage>('SELECT camera, bytes, sessions FROM usage ORDER BY camera');
  }

  /** Adds what came, or went, since the last call. A power cut may forget it. */
  async add(changes: Iterable<CameraUsage>): Promise<void> {
    const sql = `INSERT INTO usage (camera, bytes, sessions) VALUES ($1, $2, $3)
                 ON CONFLICT (camera) DO UPDATE
                 SET bytes = usage.bytes + excluded.bytes, sessions = usage.sessions + excluded.sessions`;
    await this.#db.transaction(async (queries) => {
      for (const { camera, bytes, sessions } of changes) await queries.run(sql, camera, bytes, sessions);
    }, 'light');
  }
}
