import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { type Ed25519Pair, ed25519FromSeed } from '../../crypto/curves.ts';
import { signDayKeys } from '../../crypto/day-keys.ts';
import { type Policy, writePolicyFile } from '../../crypto/policy.ts';
import { firstPolicyFile, termsOf } from '../crypto/policy-maker.ts';

export const CAMERA = 'a'.repeat(32);

/** A camera's directory, with the owner who signs its policies. */
export class TestDeployment {
  readonly directory = new CameraDirectory(mkdtempSync(join(tmpdir(), 'oriel-camera-')));
  readonly owner: Ed25519Pair = ed25519FromSeed(randomBytes(32));
  readonly #dayKeys = signDayKeys({ first: 0, keys: [randomBytes(32)] }, this.owner);

  policy(change: Partial<Policy> = {}, signer = this.owner): string {
    return writePolicyFile(this.#terms(change), signer, [this.#dayKeys]);
  }

  /** Day keys that the owner signed once, and a policy no more. */
  readonly oldBatch = signDayKeys({ first: 0, keys: [randomBytes(32)] }, this.owner);

  withOldBatch(change: Partial<Policy>): string {
    return writePolicyFile(this.#terms(change), this.owner, [this.oldBatch]);
  }

  withBatchMore(change: Partial<Policy>): string {
    return writePolicyFile(this.#terms(change), this.owner, [this.#dayKeys, this.oldBatch]);
  }

  withFloor(floor: number, change: Partial<Policy>): string {
    return this.policy({ ...change, viewers: [termsOf(this.owner.publicKey, floor, this.#dayKeys)] });
  }

  /** The same in a file of version 1. */
  firstPolicy(change: Partial<Policy> = {}, dayKeys = this.#dayKeys): string {
    return firstPolicyFile(this.#terms(change), this.owner, [dayKeys]);
  }

  #terms(change: Partial<Policy>): Policy {
    return {
      camera: CAMERA,
      epoch: 1,
      counter: 1,
      viewers: [termsOf(this.owner.publicKey, 0, this.#dayKeys)],
      mode: 'continuous',
      audio: false,
      ...change,
    };
  }

  write(path: string, text: string): void {
    writeFileSync(path, text);
  }

  remove(): void {
    rmSync(this.directory.path, { recursive: true });
  }
}
