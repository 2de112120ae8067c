import { parseUpdateReport, type UpdateReport } from '../../crypto/update-report.ts';
import type { Database } from './database.ts';

/** What became of a release on a camera, by the camera's own account. */
export interface ReceivedReport extends UpdateReport {
  /** The camera's id as text. */
  readonly from: string;
  /** ms since 1970 by the server's clock. */
  readonly receivedAtMs: number;
}

/** Of each camera the newest so many are kept. */
const MAX_REPORTS = 100;

export const REPORT_TABLE = `CREATE TABLE update_reports (
     camera TEXT NOT NULL REFERENCES cameras (id),
     number BIGINT NOT NULL,
     report BYTEA NOT NULL,
     received_at BIGINT NOT NULL,
     PRIMARY KEY (camera, number)
   );`;

interface ReportRow {
  readonly camera: string;
  readonly report: Uint8Array;
  readonly received_at: number;
}

/** Cameras' reports of updates. Throws as Database does. */
export class ReportTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Keeps a report whose signature was checked; the same again changes nothing. */
  async put(camera: string, number: number, report: Uint8Array, nowMs: number): Promise<void> {
    await this.#db.transaction(async (queries) => {
      const sql = `INSERT INTO update_reports (camera, number, report, received_at) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (camera, number) DO UPDATE
                   SET report = excluded.report, received_at = excluded.received_at
                   WHERE update_reports.report <> excluded.report`;
      await queries.run(sql, camera, number, report, nowMs);
      const excess = `DELETE FROM update_reports WHERE camera = $1 AND number NOT IN (
                        SELECT kept.number FROM update_reports AS kept WHERE kept.camera = $1
                        ORDER BY kept.received_at DESC, kept.number DESC LIMIT ${MAX_REPORTS})`;
      await queries.run(excess, camera);
    });
  }

  /** Of all cameras, newest first. */
  async all(): Promise<ReceivedReport[]> {
    const sql = `SELECT camera, report, received_at FROM update_reports
                 ORDER BY received_at DESC, number DESC`;
    return (await this.#db.query<ReportRow>(sql)).map(({ camera, report, received_at }) => ({
      ...parseUpdateReport(report),
      from: camera,
      receivedAtMs: received_at,
    }));
  }
}
