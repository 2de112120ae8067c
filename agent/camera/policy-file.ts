import { existsSync } from 'node:fs';
import { toHex, utf8 } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { type PolicyInForce, readPolicyFile } from '../../crypto/policy.ts';
import type { OpeningPrimitives } from '../../crypto/primitives.ts';
import { type CameraDirectory, readLimited } from './camera-directory.ts';
import { CameraError } from './errors.ts';

const MAX_POLICY_BYTES = 512 * 1024;

/** Whose policy a camera obeys: its own id, and its owner's identity key. */
export interface PolicyIdentity {
  readonly camera: string;
  readonly owner: Uint8Array;
}

export interface PolicyOnFile extends PolicyInForce {
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
}

/**
 * Reads the camera's policy file and checks every signature in it.
 * @throws CameraError POLICY_MISSING, FILE_UNREADABLE; CryptoError when it is forged, malformed or another camera's.
 */
export async function loadPolicy(
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
  return policyOf(readLimited(path, MAX_POLICY_BYTES), identity, primitives).catch((cause) => {
    if (!(cause instanceof CryptoError)) throw cause;
    throw new CryptoError(
      cause.code,
      `${path} is not a policy of this camera's owner: ${cause.message}`,
      cause,
    );
  });
}

/** As `loadPolicy`, of a policy file's text. @throws CryptoError. */
export async function policyOf(
  text: string,
  identity: PolicyIdentity,
  primitives: OpeningPrimitives,
): Promise<PolicyOnFile> {
  const inForce = await readPolicyFile(text, identity.camera, identity.owner, primitives);
  return { ...inForce, digest: toHex(await primitives.sha256(utf8(text))) };
}
