import type { Telemetry } from './telemetry.ts';

/** What a network alone brings about, and another look mends. */
const PASSING = /^(FETCH_BROKEN|FETCH_REFUSED)$/;
/** The refusals of docs/design/updates.md that a look for updates may end with. */
const REFUSAL = /^(BUNDLE|PRODUCT|HARDWARE|SIGNATURES|KEYS|METADATA|FETCH|RELEASE)_[A-Z]+(_[A-Z]+)*$/;

/**
 * What people are to be told when a look for updates ended with this code; undefined where waiting is all. A server that
 * never answers comes to METADATA_EXPIRED in the end. Pure.
 */
export function updateConcern(code: string): string | undefined {
  if (code === 'FETCH_DAY')
    return `what its server sends of updates comes to nothing again and again (${code})`;
  if (code === 'METADATA_EXPIRED') return `updates are kept from it (${code})`;
  if (PASSING.test(code) || !REFUSAL.test(code)) return undefined;
  return `it refuses the updates that its server offers (${code})`;
}

/**
 * What wants looking at in a camera, by what it tells of itself: the one judge of its own status
 * (agent/health/condition.ts) and of its server's list (server/fleet/camera-health.ts). Each words a concern for its own
 * reader, and adds what only it can know. Pure.
 */

/** How good something is, for people at a glance. */
export type Light = 'green' | 'yellow' | 'red';

export type HealthCode =
  /** It waits for its certificate, or its owner's policy. */
  | 'WAITING'
  /** Its source cannot be played. */
  | 'CAPTURE_FAILED'
  | 'CAPTURE_RESTARTS'
  | 'TIME_LOST'
  | 'FOOTAGE_DROPPED'
  | 'VIEWER_BELOW_FLOOR'
  | 'CLOCK_WRONG';

export interface HealthFacts
  extends Pick<Telemetry, 'capture' | 'clock' | 'recentGapSeconds' | 'viewersBelowFloor'> {
  readonly state: Telemetry['state'] | 'unpaired';
  readonly droppedSeconds: number | undefined;
}

/** A source that starts again costs some seconds; what loses more of five minutes wants looking at. */
const RECENT_GAP_SECONDS = 10;
/** Certificates are renewed at two thirds of their life: one that comes this close to its end is not being renewed. */
const CERTIFICATE_ENDS_SOON_MS = 3 * 86_400_000;

const RULES: Readonly<Record<HealthCode, (facts: HealthFacts) => boolean>> = {
  WAITING: ({ state }) => state === 'waiting',
  CAPTURE_FAILED: ({ capture }) => capture === 'failed',
  CAPTURE_RESTARTS: ({ state, capture }) => state === 'running' && capture === 'backoff',
  TIME_LOST: ({ state, recentGapSeconds = 0 }) =>
    state === 'running' && recentGapSeconds >= RECENT_GAP_SECONDS,
  FOOTAGE_DROPPED: ({ droppedSeconds = 0 }) => droppedSeconds > 0,
  VIEWER_BELOW_FLOOR: ({ viewersBelowFloor = [] }) => viewersBelowFloor.length > 0,
  CLOCK_WRONG: ({ clock }) => clock !== 'machine',
};

/** Every code that the facts give rise to. */
export function healthCodes(facts: HealthFacts): ReadonlySet<HealthCode> {
  const codes = Object.keys(RULES) as HealthCode[];
  return new Set(codes.filter((code) => RULES[code](facts)));
}

/** Without a picture it does nothing of what it is for; with any other of these it works on. */
export const lightOf = (code: HealthCode): 'yellow' | 'red' => (code === 'CAPTURE_FAILED' ? 'red' : 'yellow');

/** @param leftMs until the certificate ends; negative once it has. */
export const endsSoon = (leftMs: number): boolean => leftMs < CERTIFICATE_ENDS_SOON_MS;

/** @param viewer whose newest day key lies below their floor, by id. */
export const belowFloorText = (viewer: string): string =>
  `nothing is sealed to viewer ${viewer}: no day key at or above the floor`;
