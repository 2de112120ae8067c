import type { Database } from './database.ts';

export const PINS_TABLE = `CREATE TABLE pins (
     camera TEXT PRIMARY KEY REFERENCES cameras (id),
     statement BYTEA NOT NULL,
     put_at BIGINT NOT NULL
   );`;

/** Owners' pin statements, each for its camera to fetch: the newest that was left here. Throws as Database does. */
export class PinsTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The statement's bytes; undefined while there is none. */
  async of(camera: string): Promise<Uint8Array | undefined> {
    const sql = 'SELECT statement FROM pins WHERE camera = $1';
    return (await this.#db.one<{ statement: Uint8Array }>(sql, camera))?.statement;
  }

  /**
   * Puts a statement in the place of the one that it was judged against. False when another lies there by now.
   * @param camera one that the registry knows.
   * @param before undefined when there was none.
   */
  async replace(
    camera: string,
    before: Uint8Array | undefined,
    statement: Uint8Array,
    nowMs: number,
  ): Promise<boolean> {
    if (before === undefined) {
      const first = `INSERT INTO pins (camera, statement, put_at) VALUES ($1, $2, $3)
                     ON CONFLICT (camera) DO NOTHING`;
      return (await this.#db.run(first, camera, statement, nowMs)) > 0;
    }
    const next = 'UPDATE pins SET statement = $1, put_at = $2 WHERE camera = $3 AND statement = $4';
    return (await this.#db.run(next, statement, nowMs, camera, before)) > 0;
  }
}
