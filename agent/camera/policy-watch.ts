import { statSync } from 'node:fs';
import type { PolicyInForce } from '../../crypto/policy.ts';
import type { OpeningPrimitives } from '../../crypto/primitives.ts';
import type { CameraDirectory } from './camera-directory.ts';
import { type CameraState, judgePolicy } from './camera-state.ts';
import { CameraError } from './errors.ts';
import { loadPolicy } from './policy-file.ts';

/** The policy in force, and the watch over the file from which newer ones come. */
export class PolicyWatch {
  readonly #directory: CameraDirectory;
  readonly #state: CameraState;
  readonly #identity: { readonly camera: string; readonly owner: Uint8Array };
  readonly #primitives: OpeningPrimitives;
  #inForce: PolicyInForce | undefined;
  #fileStamp = '';

  constructor(
    directory: CameraDirectory,
    state: CameraState,
    identity: { readonly camera: string; readonly owner: Uint8Array },
    primitives: OpeningPrimitives,
  ) {
    this.#directory = directory;
    this.#state = state;
    this.#identity = identity;
    this.#primitives = primitives;
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
    const verdict = judgePolicy(this.#state.policy, candidate);
    if (verdict === 'older' || verdict === 'conflicting') {
      const name = `policy ${policy.epoch}.${policy.counter} in ${this.#directory.policy}`;
      const why = {
        older: 'is older than the one',
        conflicting: 'is another of the same number than the one',
      };
      throw new CameraError(
        'POLICY_REFUSED',
        `${name} ${why[verdict]} obeyed last; have the owner sign a new one: oriel keys policy`,
      );
    }
    if (verdict === 'new') {
      await this.#state.keep({ policy: { epoch: policy.epoch, counter: policy.counter, digest } });
    }
    const changed = verdict === 'new' && this.#inForce !== undefined;
    this.#inForce = candidate;
    return changed;
  }
}

function fileStamp(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}
