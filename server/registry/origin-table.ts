import type { Database } from './database.ts';

/** Said at each start of a restored server until its operator has seen to it. */
export const RESTORED =
  'restored from a backup: revocations since then are undone; see oriel server camera list; oriel server settled ends this';

export function restoredFields({ madeAtMs, atMs }: NonNullable<Origin['restored']>): object {
  return { backup: new Date(madeAtMs).toISOString(), restored: new Date(atMs).toISOString() };
}

/** Where a registry comes from. */
export interface Origin {
  /** Names it, 32 hex digits. */
  readonly id: string;
  /** If it was restored: when the copy was made and when it was restored, ms since 1970. */
  readonly restored: { readonly madeAtMs: number; readonly atMs: number } | undefined;
}

export const ORIGIN_TABLE = `CREATE TABLE origin (
     one BIGINT PRIMARY KEY CHECK (one = 1),
     id TEXT NOT NULL,
     copied_at BIGINT,
     restored_at BIGINT
   );`;

/** The registry's own row. Throws as Database does. */
export class OriginTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Undefined until it is named. */
  async get(): Promise<Origin | undefined> {
    const sql = 'SELECT id, copied_at, restored_at FROM origin';
    const row = await this.#db.one<{ id: string; copied_at: number | null; restored_at: number | null }>(sql);
    if (row === undefined) return undefined;
    const { id, copied_at: madeAtMs, restored_at: atMs } = row;
    return { id, restored: madeAtMs === null || atMs === null ? undefined : { madeAtMs, atMs } };
  }

  /** Names it, unless it has a name. @returns the name that it has. */
  async name(id: string): Promise<string> {
    await this.#db.run('INSERT INTO origin (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING', id);
    return (await this.get())?.id ?? id;
  }

  /** It is the copy made at `madeAtMs`, restored at `atMs`. */
  async restored(madeAtMs: number, atMs: number): Promise<void> {
    await this.#db.run('UPDATE origin SET copied_at = $1, restored_at = $2', madeAtMs, atMs);
  }

  /** The operator has been told what the copy undid, and has seen to it. */
  async settled(): Promise<void> {
    await this.#db.run('UPDATE origin SET copied_at = NULL, restored_at = NULL');
  }
}
