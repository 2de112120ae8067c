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
     number INTEGER NOT NULL,
     report BLOB NOT NULL,
     received_at INTEGER NOT NULL,
     PRIMARY KEY (camera, number)
   ) STRICT;`;

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
  put(camera: string, number: number, report: Uint8Array, nowMs: number): void {
    this.#db.transaction(() => {
      const sql = `INSERT INTO update_reports (camera, number, report, received_at) VALUES (?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET report = excluded.report, received_at = excluded.received_at
                   WHERE report <> excluded.report`;
      this.#db.run(sql, camera, number, report, nowMs);
      const excess = `DELETE FROM update_reports WHERE camera = ?1 AND number NOT IN (
                        SELECT number FROM update_reports WHERE camera = ?1
                        ORDER BY received_at DESC, number DESC LIMIT ${MAX_REPORTS})`;
      this.#db.run(excess, camera);
    });
  }

  /** Of all cameras, newest first. */
  all(): ReceivedReport[] {
    const sql = `SELECT camera, report, received_at FROM update_reports
                 ORDER BY received_at DESC, number DESC`;
    return this.#db.all<ReportRow>(sql).map(({ camera, report, received_at }) => ({
      ...parseUpdateReport(report),
      from: camera,
      receivedAtMs: received_at,
    }));
  }
}
