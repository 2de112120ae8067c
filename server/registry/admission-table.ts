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
     owner BYTEA,
     admitted_at BIGINT NOT NULL
   );`;

interface AdmissionRow {
  readonly camera: string;
  readonly owner: Uint8Array | null;
  readonly admitted_at: number;
}

const COLUMNS = 'camera, owner, admitted_at';

/** Cameras of another server that have not come yet. Throws as Database does. */
export class AdmissionTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async of(camera: string): Promise<Admission | undefined> {
    const sql = `SELECT ${COLUMNS} FROM admissions WHERE camera = $1`;
    const row = await this.#db.one<AdmissionRow>(sql, camera);
    return row && admissionOf(row);
  }

  /** Oldest first. */
  async all(): Promise<Admission[]> {
    const sql = `SELECT ${COLUMNS} FROM admissions ORDER BY admitted_at, camera`;
    return (await this.#db.query<AdmissionRow>(sql)).map(admissionOf);
  }

  async put(camera: string, owner: Uint8Array | undefined, nowMs: number): Promise<void> {
    const sql = `INSERT INTO admissions (${COLUMNS}) VALUES ($1, $2, $3)
                 ON CONFLICT (camera) DO UPDATE SET owner = coalesce(excluded.owner, admissions.owner)`;
    await this.#db.run(sql, camera, owner ?? null, nowMs);
  }

  /** Takes an admission back that is not used yet. False when there is none. */
  async withdraw(camera: string): Promise<boolean> {
    return (await this.#db.run('DELETE FROM admissions WHERE camera = $1', camera)) > 0;
  }
}

function admissionOf({ camera, owner, admitted_at }: AdmissionRow): Admission {
  return { camera, owner: owner ?? undefined, admittedAtMs: admitted_at };
}
