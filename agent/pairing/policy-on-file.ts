import type { Clock } from '../../host/clock.ts';
import { FailureTracker, type FailureView } from '../client/failure-tracker.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { PolicyWatch } from '../state/policy-watch.ts';

/** Checks for a new policy, and notes why the one on file is not obeyed. */
export class PolicyOnFile {
  readonly #policy: PolicyWatch;
  readonly #failures: FailureTracker;

  constructor(policy: PolicyWatch, clock: Clock, logger: AgentLog) {
    this.#policy = policy;
    this.#failures = new FailureTracker('the policy on file is not obeyed', clock, logger);
  }

  /** Why it is not obeyed. */
  get trouble(): FailureView | undefined {
    return this.#failures.view;
  }

  /** Never rejects. @returns whether another policy is in force than before. */
  async check(): Promise<boolean> {
    try {
      const changed = await this.#policy.check();
      if (this.#policy.notKept !== undefined) this.#failures.note(this.#policy.notKept);
      else if (!this.#policy.fileRefused) this.#failures.over();
      return changed;
    } catch (cause) {
      const waiting = errorFields(cause).code === 'POLICY_MISSING' && !this.#policy.present;
      if (!waiting) this.#failures.note(cause);
      return false;
    }
  }
}
