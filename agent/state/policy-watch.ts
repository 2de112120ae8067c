import { existsSync, statSync } from 'node:fs';
import { toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { type PolicyInForce, type ReadPolicy, readPolicyFile } from '../../crypto/policy.ts';
import type { OpeningPrimitives } from '../../crypto/primitives.ts';
import { type CameraDirectory, readLimited } from './camera-directory.ts';
import { type CameraState, judgePolicy, type PolicyKept } from './camera-state.ts';
import { CameraError } from './errors.ts';

const MAX_POLICY_BYTES = 512 * 1024;

/** Whose policy a camera obeys: its own id, and its owner's identity key. */
interface PolicyIdentity {
  readonly camera: string;
  readonly owner: Uint8Array;
}

/** A policy whose signatures and batches fit; the digest is hexadecimal. */
type PolicyOnFile = Omit<ReadPolicy, 'digest'> & { readonly digest: string };

/**
 * Reads the camera's policy file and checks every signature and hash in it.
 * @throws CameraError POLICY_MISSING, FILE_UNREADABLE; CryptoError when it is forged, malformed or another camera's.
 */
async function loadPolicy(
  directory: CameraDirectory,
  identity: PolicyIdentity,
  primitives: OpeningPrimitives,
): Promise<PolicyOnFile> {
  const { policy: path } = directory;
  if (!existsSync(path)) {
    throw new CameraError(
      'POLICY_MISSING',
      `${path} is missing; its owner has to accept the camera: oriel keys accept`,
    );
  }
  const text = readLimited(path, MAX_POLICY_BYTES);
  return policyOf(text, identity, primitives).catch((cause: unknown) => {
    if (!(cause instanceof CryptoError)) throw cause;
    throw new CryptoError(
      cause.code,
      `${path} is not a policy of this camera's owner: ${cause.message}`,
      cause,
    );
  });
}

/** As `loadPolicy`, of a policy file's text. @throws CryptoError. */
async function policyOf(
  text: string,
  identity: PolicyIdentity,
  primitives: OpeningPrimitives,
): Promise<PolicyOnFile> {
  const { digest, ...read } = await readPolicyFile(text, identity.camera, identity.owner, primitives);
  return { ...read, digest: toHex(digest) };
}

/** The policy in force, and the watch over the file from which newer ones come. */
export class PolicyWatch {
  readonly #directory: CameraDirectory;
  readonly #state: CameraState;
  readonly #identity: PolicyIdentity;
  readonly #primitives: OpeningPrimitives;
  #inForce: PolicyOnFile | undefined;
  #fileStamp = '';
  #fileRefused = false;
  /** In force, but not kept yet: the disk took nothing. */
  #toKeep: PolicyKept | undefined;
  #notKept: unknown;
  /** To be obeyed with the next look, though no file holds it. */
  #brought: PolicyOnFile | undefined;
  #isOnFile = true;

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

  /** Of the policy in force; undefined while there is none. */
  get version(): PolicyOnFile['version'] | undefined {
    return this.#inForce?.version;
  }

  /** Whether the file that lies there is one that is not obeyed. */
  get fileRefused(): boolean {
    return this.#fileRefused;
  }

  /** Whether its file holds the policy in force. */
  get isOnFile(): boolean {
    return this.#isOnFile;
  }

  /** Why the policy in force could not be kept; undefined when it is. A camera restarted meanwhile may obey an older one. */
  get notKept(): unknown {
    return this.#notKept;
  }

  /** @throws CameraError POLICY_MISSING before `check` has taken one. */
  get inForce(): PolicyInForce {
    if (this.#inForce !== undefined) return this.#inForce;
    throw new CameraError('POLICY_MISSING', 'no policy of the owner is in force');
  }

  /**
   * Looks whether the file changed, and takes what it holds if the camera has to obey it. What it refuses it
   * refuses once: the next look passes it over. What the disk does not take is obeyed all the same, and each look tries
   * to keep it again.
   * @returns whether another policy than before is in force.
   * @throws CameraError POLICY_MISSING, POLICY_REFUSED, POLICY_OUTDATED; CryptoError when a signature or a hash does not fit.
   */
  async check(): Promise<boolean> {
    const brought = this.#brought;
    if (brought !== undefined) {
      this.#brought = undefined;
      const changed = await this.#obey(brought, 'from the server ');
      this.#isOnFile = false;
      return changed;
    }
    const stamp = fileStamp(this.#directory.policy);
    if (stamp !== undefined && stamp === this.#fileStamp) {
      await this.#keep();
      return false;
    }
    this.#fileStamp = stamp ?? '';
    this.#fileRefused = true;
    const candidate = await loadPolicy(this.#directory, this.#identity, this.#primitives);
    const changed = await this.#obey(candidate, `in ${this.#directory.policy} `);
    this.#fileRefused = false;
    this.#isOnFile = true;
    return changed;
  }

  /**
   * Has the next look take a policy that its file could not be given, as on a read-only card: what takes a viewer or the
   * sound away does not wait for a disk.
   * @throws as `judge`.
   */
  async bring(text: string): Promise<void> {
    const candidate = await policyOf(text, this.#identity, this.#primitives);
    this.#verdict(candidate, 'from the server ');
    this.#brought = candidate;
  }

  /** @returns whether another policy than before is in force. */
  async #obey(candidate: PolicyOnFile, where: string): Promise<boolean> {
    const { policy, digest } = candidate;
    const verdict = this.#verdict(candidate, where);
    if (verdict === 'new') this.#toKeep = { epoch: policy.epoch, counter: policy.counter, digest };
    await this.#keep();
    const changed = verdict === 'new' && this.#inForce !== undefined;
    this.#inForce = candidate;
    return changed;
  }

  /**
   * Judges a policy file's text as `check` would, and takes nothing.
   * @throws CameraError POLICY_REFUSED, POLICY_OUTDATED; CryptoError when a signature or a hash does not fit.
   */
  async judge(text: string): Promise<'new' | 'same'> {
    const verdict = this.#verdict(await policyOf(text, this.#identity, this.#primitives), 'from the server ');
    // The one obeyed last, whose file is gone, damaged, or was never written, is as good as new.
    return this.present && !this.#fileRefused && this.#isOnFile ? verdict : 'new';
  }

  async #keep(): Promise<void> {
    const policy = this.#toKeep;
    if (policy === undefined) return;
    try {
      await this.#state.keepPolicy(policy);
      this.#toKeep = undefined;
      this.#notKept = undefined;
    } catch (cause) {
      this.#notKept = cause;
    }
  }

  #verdict(candidate: PolicyOnFile, where: string): 'new' | 'same' {
    const verdict = judgePolicy(this.#toKeep ?? this.#state.policy, candidate);
    if (verdict === 'new' || verdict === 'same') return verdict;
    const { epoch, counter } = candidate.policy;
    throw new CameraError(
      verdict === 'unbound' ? 'POLICY_OUTDATED' : 'POLICY_REFUSED',
      `policy ${epoch}.${counter} ${where}is ${WHY[verdict]}; have the owner sign a new one: oriel keys policy`,
    );
  }
}

const WHY = {
  older: 'older than the one obeyed last',
  conflicting: 'another of the same number than the one obeyed last',
  unbound: 'of version 1, which does not say which day keys belong to it',
} as const;

function fileStamp(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}
