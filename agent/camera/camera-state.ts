import { existsSync } from 'node:fs';
import * as v from 'valibot';
import { utf8 } from '../../crypto/bytes.ts';
import { parseJson } from '../../crypto/document.ts';
import type { PolicyInForce } from '../../crypto/policy.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { DayKeyUse } from '../recording/day-key-policy.ts';
import { type CameraDirectory, readLimited } from './camera-directory.ts';

const MAX_STATE_BYTES = 4096;
const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const StateFile = v.strictObject({
  /** The policy obeyed last. */
  policy: v.optional(v.strictObject({ epoch: counter, counter, digest: v.pipe(v.string(), v.length(64)) })),
  /** The day key in use. */
  dayKey: v.optional(v.strictObject({ number: counter, recordedMs: counter })),
});
type StateFile = v.InferOutput<typeof StateFile>;
export type PolicySeen = NonNullable<StateFile['policy']>;

/** What a camera must not forget across restarts, in one small file written atomically. */
export class CameraState {
  readonly #path: string;
  readonly #disk: Disk;
  #state: StateFile;
  #written: Promise<void> = Promise.resolve();

  constructor(directory: CameraDirectory, disk: Disk) {
    this.#path = directory.state;
    this.#disk = disk;
    this.#state = existsSync(this.#path)
      ? parseJson(readLimited(this.#path, MAX_STATE_BYTES), StateFile, this.#path)
      : {};
  }

  get policy(): PolicySeen | undefined {
    return this.#state.policy;
  }

  get dayKey(): DayKeyUse | undefined {
    return this.#state.dayKey;
  }

  async keep(change: { policy?: PolicySeen; dayKey?: DayKeyUse }): Promise<void> {
    this.#state = { ...this.#state, ...change };
    // One after the other: a file may not be written twice at a time.
    const write = () =>
      writeFileAtomic(this.#disk, this.#path, utf8(`${JSON.stringify(this.#state)}\n`), 0o600);
    this.#written = this.#written.then(write, write);
    await this.#written;
  }
}

/**
 * Whether a camera obeys a policy, given the one it obeyed last: never an older one, and not another of the same
 * counter, which only an owner who signs carelessly, or a thief of the owner's key, can make.
 */
export function judgePolicy(
  seen: PolicySeen | undefined,
  candidate: { policy: Pick<PolicyInForce['policy'], 'epoch' | 'counter'>; digest: string },
): 'new' | 'same' | 'older' | 'conflicting' {
  if (seen === undefined) return 'new';
  const { epoch, counter: count } = candidate.policy;
  if (epoch !== seen.epoch) return epoch > seen.epoch ? 'new' : 'older';
  if (count !== seen.counter) return count > seen.counter ? 'new' : 'older';
  return candidate.digest === seen.digest ? 'same' : 'conflicting';
}
