import { parseMessage, type Reply, type Request } from '../../wire/control.ts';
import type { RequestKind } from '../../wire/control-requests.ts';
import type { Database } from './database.ts';

/** A request to a camera on its way: a command writes it, the running server sends it and writes down the reply. */
export interface RequestRecord extends Request {
  readonly camera: string;
  /** Times in ms since 1970. */
  readonly askedAtMs: number;
  /** After it nobody waits for the reply. */
  readonly deadlineMs: number;
  /** When the server sent it last. */
  readonly sentAtMs: number | undefined;
  readonly reply: Reply | undefined;
}

export const REQUEST_TABLE = `CREATE TABLE requests (
     id TEXT PRIMARY KEY,
     camera TEXT NOT NULL REFERENCES cameras (id),
     request TEXT NOT NULL,
     asked_at INTEGER NOT NULL,
     deadline INTEGER NOT NULL,
     sent_at INTEGER,
     reply TEXT
   ) STRICT;
   CREATE INDEX requests_open ON requests (camera) WHERE reply IS NULL;`;

interface RequestRow {
  readonly id: string;
  readonly camera: string;
  readonly request: RequestKind;
  readonly asked_at: number;
  readonly deadline: number;
  readonly sent_at: number | null;
  readonly reply: string | null;
}

const COLUMNS = 'id, camera, request, asked_at, deadline, sent_at, reply';
/** Requests that are over are forgotten after this time, ms. */
const KEPT_MS = 86_400_000;

/** Throws as Database does. */
export class RequestTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** All of them or none. */
  add(...requests: readonly Omit<RequestRecord, 'sentAtMs' | 'reply'>[]): void {
    this.#db.transaction(() => {
      for (const { id, camera, request, askedAtMs, deadlineMs } of requests) {
        this.#db.run('DELETE FROM requests WHERE deadline < ?', askedAtMs - KEPT_MS);
        const sql = 'INSERT INTO requests (id, camera, request, asked_at, deadline) VALUES (?, ?, ?, ?, ?)';
        this.#db.run(sql, id, camera, request, askedAtMs, deadlineMs);
      }
    });
  }

  get(id: string): RequestRecord | undefined {
    const row = this.#db.get<RequestRow>(`SELECT ${COLUMNS} FROM requests WHERE id = ?`, id);
    return row && requestOf(row);
  }

  /** Neither answered nor past their deadline, oldest first. */
  open(nowMs: number): RequestRecord[] {
    const sql = `SELECT ${COLUMNS} FROM requests WHERE reply IS NULL AND deadline >= ? ORDER BY asked_at, id`;
    return this.#db.all<RequestRow>(sql, nowMs).map(requestOf);
  }

  sent(id: string, nowMs: number): void {
    this.#db.lightTransaction(() => {
      this.#db.run('UPDATE requests SET sent_at = ? WHERE id = ?', nowMs, id);
    });
  }

  /** Writes down a camera's reply. False when it was not asked, was too late, or has replied before. */
  replied(camera: string, reply: Reply, nowMs: number): boolean {
    return this.#db.lightTransaction(() => {
      const sql = `UPDATE requests SET reply = ?
                   WHERE id = ? AND camera = ? AND reply IS NULL AND sent_at IS NOT NULL AND deadline >= ?`;
      return this.#db.run(sql, JSON.stringify(reply), reply.id, camera, nowMs) > 0;
    });
  }
}

function requestOf(row: RequestRow): RequestRecord {
  return {
    id: row.id,
    camera: row.camera,
    request: row.request,
    askedAtMs: row.asked_at,
    deadlineMs: row.deadline,
    sentAtMs: row.sent_at ?? undefined,
    reply: row.reply === null ? undefined : parseMessage('reply', Buffer.from(row.reply)),
  };
}
