import { statSync } from 'node:fs';
import type { PolicyInForce } from '../../crypto/policy.ts';
import type { OpeningPrimitives } from '../../crypto/primitives.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { type CameraState, judgePolicy } from './camera-state.ts';
import { CameraError } from './errors.ts';
import { loadPolicy, type PolicyIdentity, type PolicyOnFile, policyOf } from './policy-file.ts';

/** The policy in force, and the watch over the file from which newer ones come. */
export class PolicyWatch {
  readonly #directory: CameraDirectory;
  readonly #state: CameraState;
  readonly #identity: PolicyIdentity;
  readonly #primitives: OpeningPrimitives;
  #inForce: PolicyInForce | undefined;
  #fileStamp = '';

  constructor(
    directory: CameraDirectory,
    state: CameraState,
    identity: PolicyIdentity,
    primitives: OpeningPrimitives,
  ) {
    this.#directory = directory;
    this.#state = state;
    this.#identity = identity;
    this.#primitives = primitives;
  }

  /** Whether a policy is in force. */
  get present(): boolean {
    return this.#inForce !== undefined;
  }

  /** @throws CameraError POLICY_MISSING before `check` has taken one. */
  get inForce(): PolicyInForce {
    if (this.#inForce !== undefined) return this.#inForce;
    throw new CameraError('POLICY_MISSING', 'no policy of the owner is in force');
  }

  /**
   * Looks whether the file changed, and takes what it holds if the camera has to obey it. What it refuses it
   * refuses once: the next look passes it over.
   * @returns whether another policy than before is in force.
   * @throws CameraError POLICY_MISSING, POLICY_REFUSED; CryptoError when a signature does not fit.
   */
  async check(): Promise<boolean> {
    const stamp = fileStamp(this.#directory.policy);
    if (stamp !== undefined && stamp === this.#fileStamp) return false;
    this.#fileStamp = stamp ?? '';
    const candidate = await loadPolicy(this.#directory, this.#identity, this.#primitives);
    const { policy, digest } = candidate;
    const verdict = this.#verdict(candidate);
    if (verdict === 'new') {
      await this.#state.keep({ policy: { epoch: policy.epoch, counter: policy.counter, digest } });
    }
    const changed = verdict === 'new' && this.#inForce !== undefined;
    this.#inForce = candidate;
    return changed;
  }

  /**
   * Judges a policy file's text as `check` would, and takes nothing.
   * @throws CameraError POLICY_REFUSED; CryptoError when a signature does not fit.
   */
  async judge(text: string): Promise<'new' | 'same'> {
    const verdict = this.#verdict(await policyOf(text, this.#identity, this.#primitives));
    // The one obeyed last, whose file is gone or damaged, is as good as new.
    return this.present ? verdict : 'new';
  }

  #verdict(candidate: PolicyOnFile): 'new' | 'same' {
    const verdict = judgePolicy(this.#state.policy, candidate);
    if (verdict === 'new' || verdict === 'same') return verdict;
    const { epoch, counter } = candidate.policy;
    const why = {
      older: 'is older than the one',
      conflicting: 'is another of the same number than the one',
    };
    throw new CameraError(
      'POLICY_REFUSED',
      `policy ${epoch}.${counter} ${why[verdict]} obeyed last; have the owner sign a new one: oriel keys policy`,
    );
  }
}

function fileStamp(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}
