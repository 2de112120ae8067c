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
     online INTEGER NOT NULL CHECK (online IN (0, 1)),
     since INTEGER NOT NULL,
     telemetry TEXT,
     received_at INTEGER
   ) STRICT;`;

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

  of(camera: string): Health | undefined {
    const row = this.#db.get<HealthRow>(`SELECT ${COLUMNS} FROM health WHERE camera = ?`, camera);
    return row && healthOf(row);
  }

  all(): Health[] {
    return this.#db.all<HealthRow>(`SELECT ${COLUMNS} FROM health ORDER BY camera`).map(healthOf);
  }

  /** Those that are connected, as far as was written down. */
  online(): Health[] {
    return this.#db.all<HealthRow>(`SELECT ${COLUMNS} FROM health WHERE online = 1`).map(healthOf);
  }

  /** Writes several down at once; a power cut may forget them. */
  write(changes: Iterable<Health>): void {
    const sql = `INSERT INTO health (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET online = excluded.online, since = excluded.since,
                   telemetry = coalesce(excluded.telemetry, telemetry),
                   received_at = coalesce(excluded.received_at, received_at)`;
    this.#db.lightTransaction(() => {
      for (const { camera, online, sinceMs, telemetry, receivedAtMs } of changes) {
        const json = telemetry === undefined ? null : JSON.stringify(telemetry);
        this.#db.run(sql, camera, online ? 1 : 0, sinceMs, json, receivedAtMs ?? null);
      }
    });
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
