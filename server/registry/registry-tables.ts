import type { Claim } from '../../crypto/claim.ts';
import { ADMISSION_TABLE } from './admission-table.ts';
import type { Migrations } from './database.ts';
import { HEALTH_TABLE } from './health-table.ts';
import { ORIGIN_TABLE } from './origin-table.ts';
import { PINS_TABLE } from './pins-table.ts';
import { REPORT_TABLE } from './report-table.ts';
import { REQUEST_TABLE } from './request-table.ts';
import { TWIN_TABLE } from './twin-table.ts';
import { UNKNOWN_TABLE } from './unknown-table.ts';
import { USAGE_TABLE } from './usage-table.ts';

/** The registry's tables, and what their rows mean. */

export type Standing = 'enrolled' | 'revoked';

export interface CameraRecord {
  readonly id: string;
  readonly name: string;
  readonly standing: Standing;
  /** Ed25519 identity of the owner whose claim it used, 32 bytes. */
  readonly owner: Uint8Array | undefined;
  /** Times in ms since 1970. */
  readonly enrolledAtMs: number;
  readonly revokedAtMs: number | undefined;
  /** Of its newest certificate: serial number in hex, and end. */
  readonly serial: string;
  readonly notAfterMs: number;
  /** Its last request, up to some seconds ago. */
  readonly lastSeenAtMs: number | undefined;
  readonly lastAddress: string | undefined;
}

export interface ClaimRecord extends Claim {
  readonly createdAtMs: number;
  /** The camera that used it. */
  readonly camera: string | undefined;
}

export const MIGRATIONS: Migrations = {
  generation: 1,
  steps: [
    `CREATE TABLE cameras (
       id TEXT PRIMARY KEY,
       point BYTEA NOT NULL,
       name TEXT NOT NULL DEFAULT '',
       standing TEXT NOT NULL CHECK (standing IN ('enrolled', 'revoked')),
       owner BYTEA,
       enrolled_at BIGINT NOT NULL,
       revoked_at BIGINT,
       serial TEXT NOT NULL,
       not_after BIGINT NOT NULL,
       last_seen_at BIGINT,
       last_address TEXT
     );
     CREATE TABLE claims (
       token_hash BYTEA PRIMARY KEY,
       owner BYTEA NOT NULL,
       expires BIGINT NOT NULL,
       created_at BIGINT NOT NULL,
       camera TEXT REFERENCES cameras (id)
     );
     CREATE TABLE pairings (
       camera TEXT PRIMARY KEY REFERENCES cameras (id),
       statement BYTEA NOT NULL,
       received_at BIGINT NOT NULL
     );
     CREATE TABLE policies (
       camera TEXT PRIMARY KEY REFERENCES cameras (id),
       file BYTEA NOT NULL,
       put_at BIGINT NOT NULL
     );`,
    HEALTH_TABLE + REQUEST_TABLE,
    PINS_TABLE + ADMISSION_TABLE,
    USAGE_TABLE,
    REPORT_TABLE,
    ORIGIN_TABLE + UNKNOWN_TABLE,
    TWIN_TABLE,
  ],
};

export const CAMERA_COLUMNS =
  'id, name, standing, owner, enrolled_at, revoked_at, serial, not_after, last_seen_at, last_address';
export const CLAIM_COLUMNS = 'token_hash, owner, expires, created_at, camera';

export interface CameraRow {
  readonly id: string;
  readonly name: string;
  readonly standing: Standing;
  readonly owner: Uint8Array | null;
  readonly enrolled_at: number;
  readonly revoked_at: number | null;
  readonly serial: string;
  readonly not_after: number;
  readonly last_seen_at: number | null;
  readonly last_address: string | null;
}

export function cameraOf(row: CameraRow): CameraRecord {
  return {
    id: row.id,
    name: row.name,
    standing: row.standing,
    owner: row.owner ?? undefined,
    enrolledAtMs: row.enrolled_at,
    revokedAtMs: row.revoked_at ?? undefined,
    serial: row.serial,
    notAfterMs: row.not_after,
    lastSeenAtMs: row.last_seen_at ?? undefined,
    lastAddress: row.last_address ?? undefined,
  };
}

export interface ClaimRow {
  readonly token_hash: Uint8Array;
  readonly owner: Uint8Array;
  readonly expires: number;
  readonly created_at: number;
  readonly camera: string | null;
}

export function claimOf(row: ClaimRow): ClaimRecord {
  return {
    tokenHash: row.token_hash,
    owner: row.owner,
    expires: row.expires,
    createdAtMs: row.created_at,
    camera: row.camera ?? undefined,
  };
}
