import type { Claim } from '../../crypto/claim.ts';
import { type ClaimVerdict, judgeClaim } from '../enrolment/claim-rules.ts';
import { ServerError } from '../errors.ts';
import { AdmissionTable } from './admission-table.ts';
import { Database, type Patience } from './database.ts';
import { HealthTable } from './health-table.ts';
import { OriginTable } from './origin-table.ts';
import { PinsTable } from './pins-table.ts';
import {
  CAMERA_COLUMNS,
  type CameraRecord,
  type CameraRow,
  CLAIM_COLUMNS,
  type ClaimRecord,
  type ClaimRow,
  cameraOf,
  claimOf,
  MIGRATIONS,
  type Standing,
} from './registry-tables.ts';
import { ReportTable } from './report-table.ts';
import { RequestTable } from './request-table.ts';
import { TwinTable } from './twin-table.ts';
import { UnknownTable } from './unknown-table.ts';
import { UsageTable } from './usage-table.ts';

/**
 * Who may come in, and what the server keeps of each camera beside its footage: `DIR/registry.db`. Commands write to
 * it while a server runs on it; the server looks who is enrolled at every request, and for changes twice a second.
 */

/** A camera that is let in, and the certificate issued to it. */
export interface Enrolment {
  readonly camera: string;
  /** Its key, an uncompressed P-256 point. */
  readonly point: Uint8Array;
  readonly serial: string;
  readonly notAfterMs: number;
}

export interface PairingRecord {
  readonly camera: string;
  /** The pairing statement, as the camera made it. */
  readonly statement: Uint8Array;
  readonly receivedAtMs: number;
}

export interface Sighting {
  readonly camera: string;
  readonly atMs: number;
  readonly address: string;
}

/** Of a camera's name, characters. */
export const MAX_NAME_LENGTH = 100;
/** An expired claim is forgotten after this time, ms: until then whoever comes with it is told why not. */
const CLAIM_KEPT_MS = 30 * 86_400_000;

/** Every method throws as Database does. */
export class Registry {
  readonly admissions: AdmissionTable;
  readonly health: HealthTable;
  readonly origin: OriginTable;
  readonly pins: PinsTable;
  readonly reports: ReportTable;
  readonly requests: RequestTable;
  readonly twins: TwinTable;
  readonly unknown: UnknownTable;
  readonly usage: UsageTable;
  readonly #db: Database;

  /** @param path of the database; `:memory:` for one that is kept nowhere. @param blank as Database. */
  constructor(path: string, patience?: Patience, blank?: () => void) {
    this.#db = new Database(path, MIGRATIONS, patience, blank);
    this.admissions = new AdmissionTable(this.#db);
    this.health = new HealthTable(this.#db);
    this.origin = new OriginTable(this.#db);
    this.pins = new PinsTable(this.#db);
    this.reports = new ReportTable(this.#db);
    this.requests = new RequestTable(this.#db);
    this.twins = new TwinTable(this.#db);
    this.unknown = new UnknownTable(this.#db);
    this.usage = new UsageTable(this.#db);
  }

  /** Undefined for a camera never heard of. */
  standing(camera: string): Standing | undefined {
    return this.#db.get<{ standing: Standing }>('SELECT standing FROM cameras WHERE id = ?', camera)
      ?.standing;
  }

  camera(id: string): CameraRecord | undefined {
    const row = this.#db.get<CameraRow>(`SELECT ${CAMERA_COLUMNS} FROM cameras WHERE id = ?`, id);
    return row && cameraOf(row);
  }

  /** A camera's key, an uncompressed P-256 point. */
  point(id: string): Uint8Array | undefined {
    return this.#db.get<{ point: Uint8Array }>('SELECT point FROM cameras WHERE id = ?', id)?.point;
  }

  /** Ids of those that may come in. */
  enrolled(): string[] {
    const sql = "SELECT id FROM cameras WHERE standing = 'enrolled' ORDER BY id";
    return this.#db.all<{ id: string }>(sql).map(({ id }) => id);
  }

  /** In the order of their enrolment. */
  cameras(): CameraRecord[] {
    const sql = `SELECT ${CAMERA_COLUMNS} FROM cameras ORDER BY enrolled_at, id`;
    return this.#db.all<CameraRow>(sql).map(cameraOf);
  }

  /**
   * Lets a camera in, or notes its new certificate.
   * @throws ServerError CAMERA_REVOKED.
   */
  enrol(enrolment: Enrolment, nowMs: number): void {
    this.#db.transaction(() => this.#enrol(enrolment, undefined, nowMs));
  }

  /** @throws ServerError CLAIM_KNOWN. */
  addClaim({ tokenHash, owner, expires }: Claim, nowMs: number): void {
    this.#db.transaction(() => {
      this.#db.run('DELETE FROM claims WHERE expires * 1000 < ?', nowMs - CLAIM_KEPT_MS);
      const sql = `INSERT INTO claims (token_hash, owner, expires, created_at)
                   VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`;
      if (this.#db.run(sql, tokenHash, owner, expires, nowMs) === 0) {
        throw new ServerError('CLAIM_KNOWN', 'the server knows this claim already: its camera can come');
      }
    });
  }

  claim(tokenHash: Uint8Array): ClaimRecord | undefined {
    const sql = `SELECT ${CLAIM_COLUMNS} FROM claims WHERE token_hash = ?`;
    const row = this.#db.get<ClaimRow>(sql, tokenHash);
    return row && claimOf(row);
  }

  /** Oldest first. */
  claims(): ClaimRecord[] {
    const sql = `SELECT ${CLAIM_COLUMNS} FROM claims ORDER BY created_at, token_hash`;
    return this.#db.all<ClaimRow>(sql).map(claimOf);
  }

  /**
   * Takes a claim back that no camera has used.
   * @throws ServerError CLAIM_UNKNOWN, CLAIM_USED.
   */
  withdrawClaim(tokenHash: Uint8Array): void {
    this.#db.transaction(() => {
      const claim = this.claim(tokenHash);
      if (claim === undefined) throw new ServerError('CLAIM_UNKNOWN', 'the server knows no such claim');
      if (claim.camera !== undefined) {
        throw new ServerError('CLAIM_USED', `camera ${claim.camera} came in with this claim: revoke it`);
      }
      this.#db.run('DELETE FROM claims WHERE token_hash = ?', tokenHash);
    });
  }

  /**
   * Lets in the camera that came with a claim, all at once: camera, claim and pairing statement.
   * @throws ServerError CAMERA_REVOKED.
   */
  redeem(tokenHash: Uint8Array, enrolment: Enrolment, statement: Uint8Array, nowMs: number): ClaimVerdict {
    return this.#db.transaction(() => {
      const claim = this.claim(tokenHash);
      const verdict = judgeClaim(claim, enrolment.camera, nowMs);
      if (claim === undefined || verdict !== 'accepted') return verdict;
      this.#enrol(enrolment, claim.owner, nowMs);
      this.#db.run('UPDATE claims SET camera = ? WHERE token_hash = ?', enrolment.camera, tokenHash);
      const sql = `INSERT INTO pairings (camera, statement, received_at) VALUES (?, ?, ?)
                   ON CONFLICT DO UPDATE SET statement = excluded.statement, received_at = excluded.received_at`;
      this.#db.run(sql, enrolment.camera, statement, nowMs);
      return verdict;
    });
  }

  /** Newest first. */
  pairings(): PairingRecord[] {
    const sql = 'SELECT camera, statement, received_at FROM pairings ORDER BY received_at DESC, camera';
    return this.#db
      .all<{ camera: string; statement: Uint8Array; received_at: number }>(sql)
      .map(({ camera, statement, received_at }) => ({ camera, statement, receivedAtMs: received_at }));
  }

  /** The policy file's bytes; undefined while there is none. */
  policy(camera: string): Uint8Array | undefined {
    return this.#db.get<{ file: Uint8Array }>('SELECT file FROM policies WHERE camera = ?', camera)?.file;
  }

  /** @throws ServerError CAMERA_UNKNOWN. */
  putPolicy(camera: string, file: Uint8Array, nowMs: number): void {
    this.#db.transaction(() => {
      this.#known(camera);
      const sql = `INSERT INTO policies (camera, file, put_at) VALUES (?, ?, ?)
                   ON CONFLICT DO UPDATE SET file = excluded.file, put_at = excluded.put_at`;
      this.#db.run(sql, camera, file, nowMs);
    });
  }

  /** @throws ServerError CAMERA_UNKNOWN, NAME_REFUSED. */
  rename(camera: string, name: string): void {
    if (name.length > MAX_NAME_LENGTH || /\p{Cc}/u.test(name)) {
      throw new ServerError('NAME_REFUSED', `a name has at most ${MAX_NAME_LENGTH} characters on one line`);
    }
    this.#db.transaction(() => {
      this.#known(camera);
      this.#db.run('UPDATE cameras SET name = ? WHERE id = ?', name, camera);
    });
  }

  /** Shuts a camera out for good. False when it was already. @throws ServerError CAMERA_UNKNOWN. */
  revoke(camera: string, nowMs: number): boolean {
    return this.#db.transaction(() => {
      this.#known(camera);
      const sql = `UPDATE cameras SET standing = 'revoked', revoked_at = ?
                   WHERE id = ? AND standing = 'enrolled'`;
      return this.#db.run(sql, nowMs, camera) > 0;
    });
  }

  /** Notes who was there. A power cut may forget it. */
  see(lastSeen: Iterable<Sighting>): void {
    const sql = 'UPDATE cameras SET last_seen_at = ?, last_address = ? WHERE id = ?';
    this.#db.lightTransaction(() => {
      for (const { camera, atMs, address } of lastSeen) this.#db.run(sql, atMs, address, camera);
    });
  }

  /** Writes a consistent copy, as of now, into a file that is absent or empty. */
  copyTo(path: string): void {
    this.#db.copyTo(path);
  }

  /** Whether another process has changed anything since the last call. */
  changedElsewhere(): boolean {
    return this.#db.changedElsewhere();
  }

  close(): void {
    this.#db.close();
  }

  #enrol(
    { camera, point, serial, notAfterMs }: Enrolment,
    owner: Uint8Array | undefined,
    nowMs: number,
  ): void {
    if (this.standing(camera) === 'revoked') {
      throw new ServerError('CAMERA_REVOKED', `camera ${camera} was revoked`);
    }
    const sql = `INSERT INTO cameras (id, point, standing, owner, enrolled_at, serial, not_after)
                 VALUES (?, ?, 'enrolled', ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET owner = coalesce(excluded.owner, owner),
                                           serial = excluded.serial, not_after = excluded.not_after`;
    const from = owner ?? this.admissions.of(camera)?.owner;
    this.#db.run(sql, camera, point, from ?? null, nowMs, serial, notAfterMs);
    this.admissions.remove(camera);
  }

  #known(camera: string): void {
    if (this.standing(camera) === undefined) {
      throw new ServerError('CAMERA_UNKNOWN', `the server knows no camera ${camera}`);
    }
  }
}
