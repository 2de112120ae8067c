/** Whether a claim lets a camera in. Pure. */

export type ClaimVerdict = 'accepted' | 'CLAIM_UNKNOWN' | 'CLAIM_EXPIRED' | 'CLAIM_USED';

export interface ClaimState {
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
