import { parseMessage, type Reply, type Request } from '../../wire/control.ts';
import type { RequestKind } from '../../wire/control-requests.ts';
import type { Database, Queries } from './database.ts';

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
     asked_at BIGINT NOT NULL,
     deadline BIGINT NOT NULL,
     sent_at BIGINT,
     reply TEXT
   );
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
  async add(...requests: readonly Omit<RequestRecord, 'sentAtMs' | 'reply'>[]): Promise<void> {
    await this.#db.transaction(async (queries) => {
      for (const { id, camera, request, askedAtMs, deadlineMs } of requests) {
        await queries.run('DELETE FROM requests WHERE deadline < $1', askedAtMs - KEPT_MS);
        const sql = `INSERT INTO requests (id, camera, request, asked_at, deadline)
                     VALUES ($1, $2, $3, $4, $5)`;
        await queries.run(sql, id, camera, request, askedAtMs, deadlineMs);
      }
    });
  }

  async get(id: string): Promise<RequestRecord | undefined> {
    const row = await this.#db.one<RequestRow>(`SELECT ${COLUMNS} FROM requests WHERE id = $1`, id);
    return row && requestOf(row);
  }

  /** Neither answered nor past their deadline, oldest first. */
  async open(nowMs: number): Promise<RequestRecord[]> {
    const sql = `SELECT ${COLUMNS} FROM requests WHERE reply IS NULL AND deadline >= $1 ORDER BY asked_at, id`;
    return (await this.#db.query<RequestRow>(sql, nowMs)).map(requestOf);
  }

  async sent(id: string, nowMs: number): Promise<void> {
    const sql = 'UPDATE requests SET sent_at = $1 WHERE id = $2';
    await this.#db.transaction((queries) => queries.run(sql, nowMs, id), 'light');
  }

  /** Writes down a camera's reply. False when it was not asked, was too late, or has replied before. */
  async replied(camera: string, reply: Reply, nowMs: number): Promise<boolean> {
    const sql = `UPDATE requests SET reply = $1
                 WHERE id = $2 AND camera = $3 AND reply IS NULL AND sent_at IS NOT NULL AND deadline >= $4`;
    const write = (queries: Queries) => queries.run(sql, JSON.stringify(reply), reply.id, camera, nowMs);
    return (await this.#db.transaction(write, 'light')) > 0;
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
