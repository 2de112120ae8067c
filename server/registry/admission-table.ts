import type { Database } from './database.ts';

/** A camera that may come, known by its id alone: the hash of the key that it will show. */
export interface Admission {
  readonly camera: string;
  /** Ed25519 identity of its owner, 32 bytes, if it is known. */
  readonly owner: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly admittedAtMs: number;
}

export const ADMISSION_TABLE = `CREATE TABLE admissions (
     camera TEXT PRIMARY KEY,
     owner BLOB,
     admitted_at INTEGER NOT NULL
   ) STRICT;`;

interface AdmissionRow {
  readonly camera: string;
  readonly owner: Uint8Array | null;
  readonly admitted_at: number;
}

/** Cameras of another server that have not come yet. Throws as Database does. */
export class AdmissionTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  of(camera: string): Admission | undefined {
    const row = this.#db.get<AdmissionRow>('SELECT * FROM admissions WHERE camera = ?', camera);
    return row && admissionOf(row);
  }

  /** Oldest first. */
  all(): Admission[] {
    return this.#db
      .all<AdmissionRow>('SELECT * FROM admissions ORDER BY admitted_at, camera')
      .map(admissionOf);
  }

  put(camera: string, owner: Uint8Array | undefined, nowMs: number): void {
    const sql = `INSERT INTO admissions (camera, owner, admitted_at) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET owner = coalesce(excluded.owner, owner)`;
    this.#db.run(sql, camera, owner ?? null, nowMs);
  }

  /** The camera has come. */
  remove(camera: string): void {
    this.#db.run('DELETE FROM admissions WHERE camera = ?', camera);
  }
}

function admissionOf({ camera, owner, admitted_at }: AdmissionRow): Admission {
  return { camera, owner: owner ?? undefined, admittedAtMs: admitted_at };
}
