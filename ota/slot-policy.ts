import semver from 'semver';
import type { Bundle } from './bundle.ts';
import type { AgentFacts } from './launcher-protocol.ts';
import type { ReturnCode, SlotState, Trial } from './slot-state.ts';

/** What the launcher decides about releases, from what it knows. Pure. */

/** An agent that has not said for so long that it lives, is killed. */
export const HEARTBEAT_MS = 60_000;
/** From its start, until an agent that is to film has to have filmed, sealed and opened. */
export const FILM_MS = 120_000;
/** What an agent may keep resident: three times what it takes, and a board of 512 MB has it to give. */
export const MAX_AGENT_BYTES = 300 * 1024 * 1024;
/** How long a first trial may be unknown before the release before gets a turn; twice as long before each further. */
export const FIRST_UNKNOWN_MS = 30 * 60_000;
const LONGEST_UNKNOWN_MS = 24 * 3_600_000;
/** How long a turn lasts at most. */
export const TURN_MS = 10 * 60_000;

export type Verdict =
  | { readonly verdict: 'healthy' }
  | { readonly verdict: 'unhealthy'; readonly code: ReturnCode }
  /** It shows in time, or a turn of the release before does. */
  | { readonly verdict: 'unknown' };

/**
 * How a release on trial does.
 * @param facts what its agent says of itself; undefined while it has said nothing.
 * @param elapsedMs since its agent was started.
 * @param filmed whether the release before filmed when it was replaced.
 */
export function judgeTrial(facts: AgentFacts | undefined, elapsedMs: number, filmed: boolean): Verdict {
  if (facts === undefined) return { verdict: 'unknown' };
  if (facts.memoryBytes > MAX_AGENT_BYTES) return { verdict: 'unhealthy', code: 'MEMORY_EXCEEDED' };
  const missing = firstMissing(facts, filmed);
  if (missing !== undefined) {
    return elapsedMs < FILM_MS ? { verdict: 'unknown' } : { verdict: 'unhealthy', code: missing };
  }
  return facts.connected && facts.checked ? { verdict: 'healthy' } : { verdict: 'unknown' };
}

/** What it should have done by itself and has not: a server has no part in any of it. */
function firstMissing(facts: AgentFacts, filmed: boolean): ReturnCode | undefined {
  if (!facts.opened) return 'OPEN_FAILED';
  if (!filmed || !facts.mayFilm) return undefined;
  if (!facts.captured) return 'CAPTURE_FAILED';
  return facts.sealed ? undefined : 'SEAL_FAILED';
}

/** Whether the release before gets a turn now. @param unknownMs since the agent on trial was started. */
export function isTurnDue({ turns }: Pick<Trial, 'turns'>, unknownMs: number): boolean {
  return unknownMs >= Math.min(FIRST_UNKNOWN_MS * 2 ** turns, LONGEST_UNKNOWN_MS);
}

/** How the turn of the release before stands. */
export function judgeTurn(
  facts: AgentFacts | undefined,
  elapsedMs: number,
): 'reached' | 'turn-over' | 'unknown' {
  if (facts?.connected && facts.checked) return 'reached';
  return elapsedMs < TURN_MS ? 'unknown' : 'turn-over';
}

export type StagingRefusal =
  | 'TRIAL_RUNNING'
  | 'RELEASE_REFUSED'
  | 'VERSION_DOWNGRADE'
  | 'VERSION_BELOW_MINIMUM';

/** Whether a verified release may be put into the slot that is not active. */
export function judgeStaging(
  state: SlotState,
  { version, counter }: Pick<Bundle, 'version' | 'counter'>,
): 'stage' | StagingRefusal {
  const { release, trial, refused, minimum } = state;
  if (trial !== null) return 'TRIAL_RUNNING';
  if (refused.some((each) => each.counter === counter)) return 'RELEASE_REFUSED';
  if (!semver.gt(version, release.version) || counter <= release.counter) return 'VERSION_DOWNGRADE';
  return semver.lt(version, minimum) ? 'VERSION_BELOW_MINIMUM' : 'stage';
}
