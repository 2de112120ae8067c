import type { RefusalCode } from '../../wire/refusal.ts';
import type { SegmentState } from '../spool/stored-segment.ts';

/** What a refusal means for the segment that it met. Pure. */

export type RefusalAction =
  /** Go on at the offset that the server names. */
  | 'resume'
  /** Send the session header, then the segment again. */
  | 'announce'
  /** The server has the segment's end. */
  | 'settle'
  /** Try again after a delay. */
  | 'retry'
  /** This segment will never be taken: give it up, counted and logged. */
  | 'abandon';

/** Refusals of one segment after which what should pass at once waits, and what cannot pass is given up. */
const PATIENCE = 3;

/** @param refusals of this segment in a row, this one included. */
export function afterRefusal(code: RefusalCode, refusals: number): RefusalAction {
  switch (code) {
    case 'SEGMENT_ENDED':
      return 'settle';
    case 'OFFSET_CONFLICT':
      return refusals < PATIENCE ? 'resume' : 'retry';
    case 'SESSION_UNKNOWN':
      return refusals < PATIENCE ? 'announce' : 'retry';
    case 'HEADER_REFUSED':
    case 'CAMERA_FOREIGN':
    case 'SESSION_CONFLICT':
    case 'RECORD_REFUSED':
    case 'BODY_OVERSIZED':
      return refusals < PATIENCE ? 'retry' : 'abandon';
    case 'ROUTE_UNKNOWN':
    case 'METHOD_REFUSED':
    case 'REQUEST_MALFORMED':
    case 'CERTIFICATE_REQUIRED':
    case 'CERTIFICATE_EXPIRED':
    case 'CAMERA_UNKNOWN':
    case 'CAMERA_REVOKED':
    case 'CLAIM_UNKNOWN':
    case 'CLAIM_EXPIRED':
    case 'CLAIM_USED':
    case 'CLAIM_THROTTLED':
    case 'REQUEST_REFUSED':
    case 'POLICY_NONE':
    case 'BODY_LATE':
    case 'BODY_SLOW':
    case 'BODY_ENDLESS':
    case 'UPLOAD_SUPERSEDED':
    case 'STORAGE_FULL':
    case 'STORAGE_FAILED':
      return 'retry';
  }
}

export type OffsetAction =
  /** Everything before the offset is durable: go on there. */
  | 'resume'
  /** The server no longer holds what it had said was durable, and the spool has let go of it. */
  | 'lost'
  /** The server holds bytes that this camera never wrote. */
  | 'impossible';

/** What the server's end of a segment means beside what the spool holds of it. */
export function judgeOffset(
  segment: { readonly base: number; readonly end: number; readonly state: SegmentState },
  offset: number,
): OffsetAction {
  if (offset < segment.base) return 'lost';
  // Before a power cut the camera may have sent records that its own spool did not keep.
  const interrupted = segment.state === 'cut' || segment.state === 'dropped';
  return offset <= segment.end || interrupted ? 'resume' : 'impossible';
}
