import { ServerError } from '../errors.ts';
import type { Queries } from './database.ts';

/** Whether a claim lets a camera in. Pure. */

export type ClaimVerdict = 'accepted' | 'CLAIM_UNKNOWN' | 'CLAIM_EXPIRED' | 'CLAIM_USED';

interface ClaimState {
  /** Seconds since 1970. */
  readonly expires: number;
  /** The camera that used it. */
  readonly camera: string | undefined;
}

/**
 * A claim is good for one camera until it expires. That camera may use it again: the answer may have been lost.
 * @param camera undefined while it is not known yet who asks.
 */
export function judgeClaim(
  claim: ClaimState | undefined,
  camera: string | undefined,
  nowMs: number,
): ClaimVerdict {
  if (claim === undefined) return 'CLAIM_UNKNOWN';
  if (!(nowMs < claim.expires * 1000)) return 'CLAIM_EXPIRED';
  const taken = claim.camera !== undefined && camera !== undefined && claim.camera !== camera;
  return taken ? 'CLAIM_USED' : 'accepted';
}

/** A camera that is let in, and the certificate issued to it. */
export interface Enrolment {
  readonly camera: string;
  /** Its key, an uncompressed P-256 point. */
  readonly point: Uint8Array;
  readonly serial: string;
  readonly notAfterMs: number;
}

/** An admission that is used up by this. */
interface UsedAdmission {
  readonly owner: Uint8Array | null;
}

/** Uses up a camera's admission. Undefined when there is none, or it was withdrawn. */
export function useAdmission(queries: Queries, camera: string): Promise<UsedAdmission | undefined> {
  return queries.one<UsedAdmission>('DELETE FROM admissions WHERE camera = $1 RETURNING owner', camera);
}

/**
 * Lets a camera in, or notes its new certificate.
 * @param owner as its claim or admission says; one that is known stays without.
 * @throws ServerError CAMERA_REVOKED: the row count of the upsert tells, which leaves a revoked row as it is.
 */
export async function putCamera(
  queries: Queries,
  { camera, point, serial, notAfterMs }: Enrolment,
  owner: Uint8Array | null | undefined,
  nowMs: number,
): Promise<void> {
  const sql = `INSERT INTO cameras (id, point, standing, owner, enrolled_at, serial, not_after)
               VALUES ($1, $2, 'enrolled', $3, $4, $5, $6)
               ON CONFLICT (id) DO UPDATE SET owner = coalesce(excluded.owner, cameras.owner),
                                              serial = excluded.serial, not_after = excluded.not_after
               WHERE cameras.standing = 'enrolled'`;
  const changed = await queries.run(sql, camera, point, owner ?? null, nowMs, serial, notAfterMs);
  if (changed === 0) throw new ServerError('CAMERA_REVOKED', `camera ${camera} was revoked`);
}
