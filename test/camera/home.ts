import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { type Ed25519Pair, ed25519FromSeed } from '../../crypto/ed25519.ts';
import { type Policy, signDayKeys, writePolicyFile } from '../../crypto/policy.ts';

export const CAMERA = 'a'.repeat(32);

/** A camera's directory, with the owner who signs its policies. */
export class Home {
  readonly directory = new CameraDirectory(mkdtempSync(join(tmpdir(), 'oriel-camera-')));
  readonly owner: Ed25519Pair = ed25519FromSeed(randomBytes(32));
  readonly #dayKeys = signDayKeys({ first: 0, keys: [randomBytes(32)] }, this.owner);

  policy(change: Partial<Policy> = {}, signer = this.owner): string {
    const policy: Policy = {
      camera: CAMERA,
      epoch: 1,
      counter: 1,
      viewers: [new Uint8Array(this.owner.publicKey)],
      mode: 'continuous',
      audio: false,
      dayKey: 0,
      ...change,
    };
    return writePolicyFile(policy, signer, [this.#dayKeys]);
  }

  write(path: string, text: string): void {
    writeFileSync(path, text);
  }

  remove(): void {
    rmSync(this.directory.path, { recursive: true });
  }
}
