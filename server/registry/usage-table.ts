import type { Database } from './database.ts';

/** What a camera's footage takes up. */
export interface CameraUsage {
  readonly camera: string;
  readonly bytes: number;
  readonly sessions: number;
}

export const USAGE_TABLE = `CREATE TABLE usage (
     camera TEXT PRIMARY KEY REFERENCES cameras (id),
     bytes INTEGER NOT NULL,
     sessions INTEGER NOT NULL
   ) STRICT;`;

/** A row for each camera whose footage was measured, kept in step with what it uploads. Throws as Database does. */
export class UsageTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  all(): CameraUsage[] {
    return this.#db.all<CameraUsage>('SELECT camera, bytes, sessions FROM usage ORDER BY camera');
  }

  /** A power cut may forget it. */
  write(changes: Iterable<CameraUsage>): void {
    const sql = `INSERT INTO usage (camera, bytes, sessions) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET bytes = excluded.bytes, sessions = excluded.sessions`;
    this.#db.lightTransaction(() => {
      for (const { camera, bytes, sessions } of changes) this.#db.run(sql, camera, bytes, sessions);
    });
  }
}
