import { type HealthCode, healthCodes } from '../../wire/health.ts';
import type { CaptureState } from '../capture/status-file.ts';
import type { AgentStatus } from '../status/status.ts';

/** What wants looking at in a camera's own status. Pure. */

export interface Concern {
  readonly light: 'yellow' | 'red';
  readonly code: string;
  /** For people; may quote what server or ffmpeg said. */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly since: number | undefined;
  /** What a person can do about it. */
  readonly wayOut: string | undefined;
}

export function red(code: string, text: string, since: number | undefined, way: string | undefined): Concern {
  return { light: 'red', code, text, since, wayOut: way };
}

export function yellow(
  code: string,
  text: string,
  since: number | undefined,
  way: string | undefined,
): Concern {
  return { light: 'yellow', code, text, since, wayOut: way };
}

/** What the judge that camera and server share says of it. */
export function codesOf(
  { state, clock, recentGapSeconds, droppedSeconds, policy }: AgentStatus,
  capture?: CaptureState,
): ReadonlySet<HealthCode> {
  return healthCodes({
    state,
    capture: capture?.state ?? 'unknown',
    clock: clock.source,
    recentGapSeconds,
    droppedSeconds,
    viewersBelowFloor: [...policy.belowFloor],
  });
}
