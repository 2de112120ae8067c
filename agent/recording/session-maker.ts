import type { PolicyInForce } from '../../crypto/policy.ts';
import type { DeviceSigner, SealingPrimitives } from '../../crypto/primitives.ts';
import type { Clock } from '../../host/clock.ts';
import type { CameraState } from '../camera/camera-state.ts';
import { type AgentLog, errorFields } from '../log.ts';
import { nextDayKey } from './day-key-policy.ts';
import { type FreshSession, freshSession, type PreviousSession } from './session-source.ts';

export interface SessionMakerOptions {
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

/** Makes session after session, each under the policy and the day key that are due. */
export class SessionMaker {
  readonly #options: SessionMakerOptions;
  #accountedUs = 0;
  #exhausted = false;

  constructor(options: SessionMakerOptions) {
    this.#options = options;
  }

  /** Whether the viewers' day keys have run out: the newest serves on. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  async next(): Promise<FreshSession> {
    const { policy, previous, signer, primitives, clock } = this.#options;
    const inForce = policy();
    const use = await this.#dayKey(inForce);
    return freshSession(await previous(), inForce, use, { signer, primitives, clock });
  }

  async #dayKey(inForce: PolicyInForce) {
    const { state, recordedUs, logger } = this.#options;
    const sinceUs = recordedUs() - this.#accountedUs;
    this.#accountedUs += sinceUs;
    const used = state.dayKey && {
      number: state.dayKey.number,
      recordedMs: state.dayKey.recordedMs + Math.round(sinceUs / 1000),
    };
    const newest = Math.max(...inForce.viewers.flatMap(({ keys }) => [...keys.keys()]));
    const { use, exhausted } = nextDayKey(used, inForce.policy.dayKey, newest);
    if (exhausted && !this.#exhausted)
      logger.warn({ dayKey: use.number }, 'day keys have run out: the newest serves on');
    this.#exhausted = exhausted;
    // A disk that cannot keep this costs a day key some hours more after a restart, never the recording.
    await state
      .keep({ dayKey: use })
      .catch((cause) => logger.error(errorFields(cause), 'day key in use not kept'));
    return use;
  }
}
