/** When segments and sessions begin and end: decided per fragment, from nothing but what is said here. */

/** A segment is ended at the first keyframe from this length on, so that it lasts about 4 s. Microseconds. */
export const SEGMENT_TARGET_US = 3_500_000;
/** Forward secrecy wants short sessions: from this age on a session ends at the next keyframe. Milliseconds. */
export const SESSION_SOFT_LIMIT_MS = 570_000;
/** A session whose times are wrong by more than this ends at the next keyframe: a clock was set, or a better one heard. */
export const TIME_ERROR_LIMIT_MS = 5_000;
/** A session never grows older than this. Milliseconds. */
export const SESSION_HARD_LIMIT_MS = 600_000;
/** A segment without a keyframe in sight is ended here. Bytes. */
export const SEGMENT_LIMIT_BYTES = 64 * 1024 * 1024;
/** A session has no more segments than this (wire/upload.ts has room for a few more). */
export const SESSION_LIMIT_SEGMENTS = 4000;

export interface RecordingState {
  /** The segment being recorded, if any. */
  readonly segment: { readonly durationUs: number; readonly bytes: number } | undefined;
  /** The session in force, if any. */
  readonly session:
    | {
        readonly ageMs: number;
        readonly segments: number;
        /** How far the time that it goes by is from what the clock says now, either way. */
        readonly timeErrorMs?: number;
      }
    | undefined;
  /** The policy, the init segment or the encoder's run changed: what follows needs a new session. */
  readonly sessionOutdated: boolean;
}

/**
 * - `append`: the fragment goes into the segment being recorded.
 * - `new-segment`, `new-session`: it begins one (a new session with its first segment).
 * - `skip`: it is given up, and counted: no segment can begin without a keyframe.
 * - `end-and-skip`: the same, and the segment being recorded ends before it, as the last one of its session: nothing else could say
 *   that no more is to come, should the session be over by the next keyframe.
 */
export type RecordingStep = 'append' | 'new-segment' | 'new-session' | 'skip' | 'end-and-skip';

export function nextStep(
  state: RecordingState,
  fragment: { keyframe: boolean; bytes: number },
): RecordingStep {
  const { segment, session } = state;
  const sessionOver =
    session === undefined || state.sessionOutdated || session.ageMs >= SESSION_HARD_LIMIT_MS;
  if (!fragment.keyframe) {
    if (segment === undefined) return 'skip';
    return sessionOver || segment.bytes + fragment.bytes > SEGMENT_LIMIT_BYTES ? 'end-and-skip' : 'append';
  }
  if (sessionOver || session.ageMs >= SESSION_SOFT_LIMIT_MS) return 'new-session';
  if ((session.timeErrorMs ?? 0) > TIME_ERROR_LIMIT_MS) return 'new-session';
  if (session.segments >= SESSION_LIMIT_SEGMENTS) return 'new-session';
  if (segment === undefined) return 'new-segment';
  const full =
    segment.durationUs >= SEGMENT_TARGET_US || segment.bytes + fragment.bytes > SEGMENT_LIMIT_BYTES;
  return full ? 'new-segment' : 'append';
}
