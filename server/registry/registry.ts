import type { Claim } from '../../crypto/claim.ts';
import { ServerError } from '../errors.ts';
import { AdmissionTable } from './admission-table.ts';
import type { Database } from './database.ts';
import { type ClaimVerdict, type Enrolment, judgeClaim, putCamera, useAdmission } from './enrol.ts';
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
  type Standing,
} from './registry-tables.ts';
import { ReportTable } from './report-table.ts';
import { RequestTable } from './request-table.ts';
import { TwinTable } from './twin-table.ts';
import { UnknownTable } from './unknown-table.ts';
import { UsageTable } from './usage-table.ts';

/**
 * Who may come in, and what the server keeps of each camera beside its footage. Commands write to it while a server runs
 * on it; the server looks who is enrolled at every request, and for changes twice a second.
 *
 * What is decided where others write at the same time, under READ COMMITTED:
 *
 * | transaction | what could race it | decided by |
 * | --- | --- | --- |
 * | redeem | another camera with the same claim; its withdrawal | the row count of the claim's UPDATE; 0 undoes all |
 * | redeem, enrol, renew | a revocation | the row count of the upsert, which leaves a revoked row as it is |
 * | renew of an admitted camera | the admission's withdrawal | DELETE … RETURNING the admission; cameras are never removed |
 * | addClaim | the same claim once more | the row count of INSERT … DO NOTHING |
 * | withdrawClaim | a camera that uses it | the row count of a DELETE of what is unused |
 * | revoke, rename | each other | one UPDATE; cameras are never removed |
 * | putPolicy | another policy | the last one stays, as without a race |
 * | pins.replace | another statement | an UPDATE of the statement that was judged; 0 has it judged anew |
 * | requests.add | the same id | the primary key; then none of them is added |
 * | requests.replied | a second reply | an UPDATE of what has none |
 * | reports.put | reports of the same camera | some more than the newest hundred stay until the next one |
 * | usage.add | another server process | sums are added to in SQL |
 * | health.write, see, twins.see, unknown.see, requests.sent | each other | the last one stays |
 */

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

  /** @param db one that MIGRATIONS were applied to; it ends with the registry. */
  constructor(db: Database) {
    this.#db = db;
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
  async standing(camera: string): Promise<Standing | undefined> {
    const sql = 'SELECT standing FROM cameras WHERE id = $1';
    return (await this.#db.one<{ standing: Standing }>(sql, camera))?.standing;
  }

  async camera(id: string): Promise<CameraRecord | undefined> {
    const row = await this.#db.one<CameraRow>(`SELECT ${CAMERA_COLUMNS} FROM cameras WHERE id = $1`, id);
    return row && cameraOf(row);
  }

  /** A camera's key, an uncompressed P-256 point. */
  async point(id: string): Promise<Uint8Array | undefined> {
    const sql = 'SELECT point FROM cameras WHERE id = $1';
    return (await this.#db.one<{ point: Uint8Array }>(sql, id))?.point;
  }

  /** Ids of those that may come in. */
  enrolled(): Promise<string[]> {
    return this.#standingAs('enrolled');
  }

  /** Ids of those that were shut out. */
  revoked(): Promise<string[]> {
    return this.#standingAs('revoked');
  }

  /** In the order of their enrolment. */
  async cameras(): Promise<CameraRecord[]> {
    const sql = `SELECT ${CAMERA_COLUMNS} FROM cameras ORDER BY enrolled_at, id`;
    return (await this.#db.query<CameraRow>(sql)).map(cameraOf);
  }

  /**
   * Lets a camera in, or notes its new certificate, because an operator says so.
   * @throws ServerError CAMERA_REVOKED.
   */
  async enrol(enrolment: Enrolment, nowMs: number): Promise<void> {
    await this.#db.transaction(async (queries) => {
      const admission = await useAdmission(queries, enrolment.camera);
      await putCamera(queries, enrolment, admission?.owner, nowMs);
    });
  }

  /**
   * Notes the new certificate of a camera that is known, or lets in one that was admitted.
   * @throws ServerError CAMERA_UNKNOWN, CAMERA_REVOKED.
   */
  async renew(enrolment: Enrolment, nowMs: number): Promise<void> {
    const { camera } = enrolment;
    const isKnown = (await this.standing(camera)) !== undefined;
    await this.#db.transaction(async (queries) => {
      const admission = await useAdmission(queries, camera);
      if (!isKnown && admission === undefined) throw unknownCamera(camera);
      await putCamera(queries, enrolment, admission?.owner, nowMs);
    });
  }

  /** @throws ServerError CLAIM_KNOWN. */
  async addClaim({ tokenHash, owner, expires }: Claim, nowMs: number): Promise<void> {
    await this.#db.transaction(async (queries) => {
      await queries.run('DELETE FROM claims WHERE expires * 1000 < $1', nowMs - CLAIM_KEPT_MS);
      const sql = `INSERT INTO claims (token_hash, owner, expires, created_at)
                   VALUES ($1, $2, $3, $4) ON CONFLICT (token_hash) DO NOTHING`;
      if ((await queries.run(sql, tokenHash, owner, expires, nowMs)) === 0) {
        throw new ServerError('CLAIM_KNOWN', 'the server knows this claim already: its camera can come');
      }
    });
  }

  async claim(tokenHash: Uint8Array): Promise<ClaimRecord | undefined> {
    const sql = `SELECT ${CLAIM_COLUMNS} FROM claims WHERE token_hash = $1`;
    const row = await this.#db.one<ClaimRow>(sql, tokenHash);
    return row && claimOf(row);
  }

  /** Oldest first. */
  async claims(): Promise<ClaimRecord[]> {
    const sql = `SELECT ${CLAIM_COLUMNS} FROM claims ORDER BY created_at, token_hash`;
    return (await this.#db.query<ClaimRow>(sql)).map(claimOf);
  }

  /**
   * Takes a claim back that no camera has used.
   * @throws ServerError CLAIM_UNKNOWN, CLAIM_USED.
   */
  async withdrawClaim(tokenHash: Uint8Array): Promise<void> {
    const sql = 'DELETE FROM claims WHERE token_hash = $1 AND camera IS NULL';
    if ((await this.#db.run(sql, tokenHash)) > 0) return;
    const claim = await this.claim(tokenHash);
    if (claim === undefined) throw new ServerError('CLAIM_UNKNOWN', 'the server knows no such claim');
    throw new ServerError('CLAIM_USED', `camera ${claim.camera} came in with this claim: revoke it`);
  }

  /**
   * Lets in the camera that came with a claim, all at once: camera, claim and pairing statement.
   * @throws ServerError CAMERA_REVOKED.
   */
  async redeem(
    tokenHash: Uint8Array,
    enrolment: Enrolment,
    statement: Uint8Array,
    nowMs: number,
  ): Promise<ClaimVerdict> {
    const { camera } = enrolment;
    const claim = await this.claim(tokenHash);
    const verdict = judgeClaim(claim, camera, nowMs);
    if (claim === undefined || verdict !== 'accepted') return verdict;
    const isLetIn = await this.#db
      .transaction(async (queries) => {
        await useAdmission(queries, camera);
        await putCamera(queries, enrolment, claim.owner, nowMs);
        const sql = `UPDATE claims SET camera = $1
                     WHERE token_hash = $2 AND (camera IS NULL OR camera = $1)`;
        if ((await queries.run(sql, camera, tokenHash)) === 0) throw new ClaimLost();
        const pairing = `INSERT INTO pairings (camera, statement, received_at) VALUES ($1, $2, $3)
                         ON CONFLICT (camera) DO UPDATE
                         SET statement = excluded.statement, received_at = excluded.received_at`;
        await queries.run(pairing, camera, statement, nowMs);
        return true;
      })
      .catch(lostClaim);
    return isLetIn ? verdict : judgeClaim(await this.claim(tokenHash), camera, nowMs);
  }

  /** Newest first. */
  async pairings(): Promise<PairingRecord[]> {
    const sql = 'SELECT camera, statement, received_at FROM pairings ORDER BY received_at DESC, camera';
    const rows = await this.#db.query<{ camera: string; statement: Uint8Array; received_at: number }>(sql);
    return rows.map(({ camera, statement, received_at }) => ({
      camera,
      statement,
      receivedAtMs: received_at,
    }));
  }

  /** The policy file's bytes; undefined while there is none. */
  async policy(camera: string): Promise<Uint8Array | undefined> {
    const sql = 'SELECT file FROM policies WHERE camera = $1';
    return (await this.#db.one<{ file: Uint8Array }>(sql, camera))?.file;
  }

  /** @throws ServerError CAMERA_UNKNOWN. */
  async putPolicy(camera: string, file: Uint8Array, nowMs: number): Promise<void> {
    if ((await this.standing(camera)) === undefined) throw unknownCamera(camera);
    const sql = `INSERT INTO policies (camera, file, put_at) VALUES ($1, $2, $3)
                 ON CONFLICT (camera) DO UPDATE SET file = excluded.file, put_at = excluded.put_at`;
    await this.#db.run(sql, camera, file, nowMs);
  }

  /** @throws ServerError CAMERA_UNKNOWN, NAME_REFUSED. */
  async rename(camera: string, name: string): Promise<void> {
    if (name.length > MAX_NAME_LENGTH || /\p{Cc}/u.test(name)) {
      throw new ServerError('NAME_REFUSED', `a name has at most ${MAX_NAME_LENGTH} characters on one line`);
    }
    const sql = 'UPDATE cameras SET name = $1 WHERE id = $2';
    if ((await this.#db.run(sql, name, camera)) === 0) throw unknownCamera(camera);
  }

  /** Shuts a camera out for good. False when it was already. @throws ServerError CAMERA_UNKNOWN. */
  async revoke(camera: string, nowMs: number): Promise<boolean> {
    const sql = `UPDATE cameras SET standing = 'revoked', revoked_at = $1
                 WHERE id = $2 AND standing = 'enrolled'`;
    if ((await this.#db.run(sql, nowMs, camera)) > 0) return true;
    if ((await this.standing(camera)) === undefined) throw unknownCamera(camera);
    return false;
  }

  /** Notes who was there. A power cut may forget it. */
  async see(lastSeen: Iterable<Sighting>): Promise<void> {
    const sql = 'UPDATE cameras SET last_seen_at = $1, last_address = $2 WHERE id = $3';
    await this.#db.transaction(async (queries) => {
      for (const { camera, atMs, address } of lastSeen) await queries.run(sql, atMs, address, camera);
    }, 'light');
  }

  /** Whether another process has changed anything since the last call. */
  changedElsewhere(): Promise<boolean> {
    return this.#db.changedElsewhere();
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  async #standingAs(standing: Standing): Promise<string[]> {
    const sql = 'SELECT id FROM cameras WHERE standing = $1 ORDER BY id';
    return (await this.#db.query<{ id: string }>(sql, standing)).map(({ id }) => id);
  }
}

/** Another camera has used the claim, or it was withdrawn, since it was judged: its transaction is undone. */
class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

function lostClaim(error: unknown): false {
  if (error instanceof ClaimLost) return false;
  throw error;
}

function unknownCamera(camera: string): ServerError {
  return new ServerError('CAMERA_UNKNOWN', `the server knows no camera ${camera}`);
}
