import semver from 'semver';
import { backoffMs } from '../host/backoff.ts';
import type { Bundle } from './bundle.ts';
import type { LauncherLimits } from './launcher-limits.ts';
import type { AgentFacts } from './launcher-protocol.ts';
import type { ReturnCode, SlotState, Trial } from './slot-state.ts';

/** What the launcher decides about releases, from what it knows. Pure. */

const LONGEST_UNKNOWN_MS = 24 * 3_600_000;

/** An agent, as its launcher sees it. */
export interface AgentSeen {
  /** What it says of itself; undefined while it has said nothing. */
  readonly facts: AgentFacts | undefined;
  /** What it keeps resident, by its own word or the kernel's; 0 while neither is known. */
  readonly memoryBytes: number;
  /** Since it was started. */
  readonly elapsedMs: number;
}

export type Verdict =
  | { readonly verdict: 'healthy' }
  | { readonly verdict: 'unhealthy'; readonly code: ReturnCode }
  /** It shows in time, or a turn of the release before does. */
  | { readonly verdict: 'unknown' };

/**
 * How a release on trial does.
 * @param filmed whether the release before filmed when it was replaced.
 */
export function judgeTrial(
  { facts, memoryBytes, elapsedMs }: AgentSeen,
  filmed: boolean,
  limits: LauncherLimits,
): Verdict {
  if (memoryBytes > limits.memoryBytes) return { verdict: 'unhealthy', code: 'MEMORY_EXCEEDED' };
  if (facts === undefined) return { verdict: 'unknown' };
  const missing = firstMissing(facts, filmed);
  if (missing !== undefined) {
    return elapsedMs < limits.verdictSeconds * 1000
      ? { verdict: 'unknown' }
      : { verdict: 'unhealthy', code: missing };
  }
  const proved = elapsedMs >= limits.proveSeconds * 1000;
  return proved && facts.connected && facts.checked ? { verdict: 'healthy' } : { verdict: 'unknown' };
}

/** What it should have done by itself and has not: a server has no part in any of it. */
function firstMissing(facts: AgentFacts, filmed: boolean): ReturnCode | undefined {
  if (!facts.opened) return 'OPEN_FAILED';
  if (!filmed || !facts.mayFilm) return undefined;
  if (!facts.captured) return 'CAPTURE_FAILED';
  return facts.sealed ? undefined : 'SEAL_FAILED';
}

/**
 * What follows when capture has ended by itself, which nobody starts again.
 * @param code its exit code.
 * @param captured whether video has come from this release since the launcher started: one that has captured is not to
 *   blame for what its source, or who has taken capture over by way of it, does afterwards, in this run or the next.
 */
export function afterCaptureEnd(
  code: number,
  onTrial: boolean,
  captured: boolean,
): 'end' | 'run-again' | 'send-back' {
  if (code === 0 || !onTrial) return 'end';
  return captured ? 'run-again' : 'send-back';
}

/** Whether the release before gets a turn now. @param unknownMs since the agent on trial was started. */
export function isTurnDue(
  { turns }: Pick<Trial, 'turns'>,
  unknownMs: number,
  { unknownSeconds }: LauncherLimits,
): boolean {
  return unknownMs >= backoffMs({ firstMs: unknownSeconds * 1000, longestMs: LONGEST_UNKNOWN_MS }, turns + 1);
}

/** How the turn of the release before stands. */
export function judgeTurn(
  facts: AgentFacts | undefined,
  elapsedMs: number,
  { turnSeconds }: LauncherLimits,
): 'reached' | 'turn-over' | 'unknown' {
  if (facts?.connected && facts.checked) return 'reached';
  return elapsedMs < turnSeconds * 1000 ? 'unknown' : 'turn-over';
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
