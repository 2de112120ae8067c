import { parseMessage } from '../../wire/control.ts';
import type { Telemetry } from '../../wire/telemetry.ts';
import type { Database } from './database.ts';

/** How a camera is, as far as it has told over control. */
export interface Health {
  readonly camera: string;
  readonly online: boolean;
  /** Since when it is, ms since 1970. */
  readonly sinceMs: number;
  /** The newest; undefined before the first. */
  readonly telemetry: Telemetry | undefined;
  /** When that came, ms since 1970 by the server's clock. */
  readonly receivedAtMs: number | undefined;
}

export const HEALTH_TABLE = `CREATE TABLE health (
     camera TEXT PRIMARY KEY REFERENCES cameras (id),
     online BIGINT NOT NULL CHECK (online IN (0, 1)),
     since BIGINT NOT NULL,
     telemetry TEXT,
     received_at BIGINT
   );`;

interface HealthRow {
  readonly camera: string;
  readonly online: number;
  readonly since: number;
  readonly telemetry: string | null;
  readonly received_at: number | null;
}

const COLUMNS = 'camera, online, since, telemetry, received_at';

/** The fleet's health: a row for each camera that has ever come over control. Throws as Database does. */
export class HealthTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async of(camera: string): Promise<Health | undefined> {
    const row = await this.#db.one<HealthRow>(`SELECT ${COLUMNS} FROM health WHERE camera = $1`, camera);
    return row && healthOf(row);
  }

  async all(): Promise<Health[]> {
    return (await this.#db.query<HealthRow>(`SELECT ${COLUMNS} FROM health ORDER BY camera`)).map(healthOf);
  }

  /** Whether each camera is connected, and since when: as far as was written down. */
  async presence(): Promise<Pick<Health, 'camera' | 'online' | 'sinceMs'>[]> {
    const rows = await this.#db.query<HealthRow>('SELECT camera, online, since FROM health');
    return rows.map(({ camera, online, since }) => ({ camera, online: online === 1, sinceMs: since }));
  }

  /** Writes several down at once; a power cut may forget them. */
  async write(changes: Iterable<Health>): Promise<void> {
    const sql = `INSERT INTO health (${COLUMNS}) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (camera) DO UPDATE SET online = excluded.online, since = excluded.since,
                   telemetry = coalesce(excluded.telemetry, health.telemetry),
                   received_at = coalesce(excluded.received_at, health.received_at)`;
    await this.#db.transaction(async (queries) => {
      for (const { camera, online, sinceMs, telemetry, receivedAtMs } of changes) {
        const json = telemetry === undefined ? null : JSON.stringify(telemetry);
        await queries.run(sql, camera, online ? 1 : 0, sinceMs, json, receivedAtMs ?? null);
      }
    }, 'light');
  }
}

function healthOf(row: HealthRow): Health {
  return {
    camera: row.camera,
    online: row.online === 1,
    sinceMs: row.since,
    telemetry: row.telemetry === null ? undefined : telemetryOf(row.telemetry),
    receivedAtMs: row.received_at ?? undefined,
  };
}

/** Undefined for one of another version, which the next one replaces. */
function telemetryOf(json: string): Telemetry | undefined {
  try {
    return parseMessage('telemetry', Buffer.from(json));
  } catch {
    return undefined;
  }
}
