import { usableNumbers, type ViewerDayKeys } from '../../crypto/day-keys.ts';
import { idText } from '../../crypto/header.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import type { DeviceSigner, SealingPrimitives } from '../../crypto/primitives.ts';
import type { Clock } from '../../host/clock.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { CameraState, DayKeyUse } from '../state/camera-state.ts';
import { type FreshSession, freshSession, type PreviousSession } from './open-session.ts';

/** Which day key a session is sealed to: moved on by number and recorded time, never by the wall clock. */

/** Recorded running time under one day key, milliseconds. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * One viewer's day key for the next session.
 * @param used the one last used for it; undefined for its first session.
 * @param floor no key of a lower number is taken.
 * @param usable the numbers at hand from the floor on, ascending.
 * @returns undefined when there is none: nothing is sealed to this viewer. `exhausted`: the keys have run out, and the
 * newest serves on.
 */
export function nextDayKey(
  used: DayKeyUse | undefined,
  floor: number,
  usable: readonly number[],
): { readonly use: DayKeyUse; readonly exhausted: boolean } | undefined {
  const newest = usable.at(-1);
  if (newest === undefined) return undefined;
  const current = used ?? { number: floor, recordedMs: 0 };
  const moved = current.recordedMs >= DAY_MS ? current.number + 1 : current.number;
  const wanted = Math.max(moved, floor);
  const number = usable.find((each) => each >= wanted) ?? newest;
  const recordedMs = number === current.number ? current.recordedMs : 0;
  return { use: { number, recordedMs }, exhausted: wanted > newest };
}

interface SessionFactoryOptions {
  readonly signer: DeviceSigner;
  readonly primitives: SealingPrimitives;
  readonly clock: Clock;
  readonly state: CameraState;
  readonly logger: AgentLog;
  readonly policy: () => PolicyInForce;
  /** The session before, once its end is known. */
  readonly previous: () => Promise<PreviousSession | undefined>;
  /** Time recorded since the last session began, as far as this process knows, milliseconds. */
  readonly recordedUs: () => number;
}

/** Makes session after session, each under the policy and the day keys that are due. */
export class SessionFactory {
  readonly #options: SessionFactoryOptions;
  #accountedUs = 0;
  #exhausted: readonly string[] = [];

  constructor(options: SessionFactoryOptions) {
    this.#options = options;
  }

  /** Whether a viewer's day keys have run out: the newest serves on. */
  get exhausted(): boolean {
    return this.#exhausted.length > 0;
  }

  async next(): Promise<FreshSession> {
    const { policy, previous, signer, primitives, clock } = this.#options;
    const inForce = policy();
    const numbers = await this.#dayKeys(inForce.viewers);
    return freshSession(await previous(), inForce, numbers, { signer, primitives, clock });
  }

  /** The number of the day key that is due for each viewer who has one, by viewer id. */
  async #dayKeys(viewers: readonly ViewerDayKeys[]): Promise<ReadonlyMap<string, number>> {
    const { state, recordedUs, logger } = this.#options;
    const sinceUs = recordedUs() - this.#accountedUs;
    this.#accountedUs += sinceUs;
    const inUse: Record<string, DayKeyUse> = {};
    const exhausted: string[] = [];
    for (const each of viewers) {
      const viewer = idText(each.viewer);
      const before = state.dayKeyOf(viewer);
      const used = before && { ...before, recordedMs: before.recordedMs + Math.round(sinceUs / 1000) };
      const next = nextDayKey(used, each.floor, usableNumbers(each));
      // A viewer below the floor keeps the number for the key that comes next.
      const use = next?.use ?? before;
      if (use !== undefined) inUse[viewer] = use;
      if (next?.exhausted) exhausted.push(viewer);
    }
    if (exhausted.length > 0 && !this.exhausted) {
      logger.warn({ viewers: exhausted }, 'day keys have run out: the newest serves on');
    }
    this.#exhausted = exhausted;
    // A disk that cannot keep this costs a day key some hours more after a restart, never the recording.
    await state
      .keepDayKeys(inUse)
      .catch((cause) => logger.error(errorFields(cause), 'day keys in use not kept'));
    return new Map(Object.entries(inUse).map(([viewer, { number }]) => [viewer, number]));
  }
}
