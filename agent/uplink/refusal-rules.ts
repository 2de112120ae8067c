import type { RefusalCode } from '../../wire/refusal.ts';
import type { SegmentState } from '../spool/stored-segment.ts';

/** What a refusal means for the segment that it met. Pure. */

export type RefusalAction =
  /** Go on at the offset that the server names. */
  | 'resume'
  /** Send the session header, then the segment again. */
  | 'announce'
  /** The server says that it has the segment's end: ask where that is. */
  | 'confirm'
  /** Try again after a delay. */
  | 'retry'
  /** Something may be wrong with this segment alone: let others pass, try again after a minute. */
  | 'aside'
  /** The server does not take this segment: keep it, try again after an hour. */
  | 'park';

/** Refusals of one segment after which others have their turn. */
const PATIENCE = 3;

/**
 * @param refusals of this segment in a row, this one included.
 * @param suspect whether the segment, or another of its session, has been set aside: then it has one try, not three.
 */
export function afterRefusal(
  code: RefusalCode | 'PROTOCOL_VIOLATED',
  refusals: number,
  suspect: boolean,
): RefusalAction {
  const patient = refusals < (suspect ? 1 : PATIENCE);
  switch (code) {
    case 'SEGMENT_ENDED':
      return refusals < PATIENCE ? 'confirm' : 'park';
    case 'OFFSET_CONFLICT':
      return refusals < PATIENCE ? 'resume' : 'aside';
    case 'SESSION_UNKNOWN':
      return refusals < PATIENCE ? 'announce' : 'aside';
    case 'HEADER_REFUSED':
    case 'CAMERA_FOREIGN':
    case 'SESSION_CONFLICT':
    case 'RECORD_REFUSED':
    case 'BODY_OVERSIZED':
      return patient ? 'retry' : 'park';
    // It is the camera that is refused, and every segment with it.
    case 'CERTIFICATE_REQUIRED':
    case 'CERTIFICATE_EXPIRED':
    case 'CAMERA_UNKNOWN':
    case 'CAMERA_REVOKED':
    case 'RATE_EXCEEDED':
    case 'QUOTA_EXCEEDED':
      return 'retry';
    case 'PROTOCOL_VIOLATED':
    case 'ROUTE_UNKNOWN':
    case 'METHOD_REFUSED':
    case 'REQUEST_MALFORMED':
    case 'CLAIM_UNKNOWN':
    case 'CLAIM_EXPIRED':
    case 'CLAIM_USED':
    case 'CLAIM_THROTTLED':
    case 'REQUEST_REFUSED':
    case 'CLOCK_WRONG':
    case 'POLICY_NONE':
    case 'BODY_LATE':
    case 'BODY_SLOW':
    case 'BODY_ENDLESS':
    case 'UPLOAD_SUPERSEDED':
    case 'STORAGE_FULL':
    case 'STORAGE_FAILED':
      return patient ? 'retry' : 'aside';
  }
}

interface HeldSegment {
  readonly base: number;
  readonly end: number;
  readonly state: SegmentState;
}

export type OffsetAction =
  /** Everything before the offset is durable: go on there. */
  | 'resume'
  /** The server no longer holds what it had said was durable, and the spool has let go of it. */
  | 'lost'
  /** The server holds bytes that this camera never wrote. */
  | 'impossible';

/** What the server's end of a segment means beside what the spool holds of it. */
export function judgeOffset(segment: HeldSegment, offset: number): OffsetAction {
  if (offset < segment.base) return 'lost';
  // Before a power cut the camera may have sent records that its own spool did not keep.
  const interrupted = segment.state === 'cut' || segment.state === 'dropped';
  return offset <= segment.end || interrupted ? 'resume' : 'impossible';
}

/**
 * Whether a segment that has ended at the server, at byte `durable`, can be all that is held here. One closed here ends
 * at the same byte; one without an end here has at least an end more there; one that still grows has none yet.
 */
export function endsWithAllOf(segment: HeldSegment, durable: number): boolean {
  switch (segment.state) {
    case 'ended':
      return durable === segment.end;
    case 'cut':
    case 'dropped':
      return durable > segment.end;
    case 'open':
      return false;
  }
}
