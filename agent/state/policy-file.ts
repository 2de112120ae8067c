import { existsSync } from 'node:fs';
import { toHex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { type ReadPolicy, readPolicyFile } from '../../crypto/policy.ts';
import type { OpeningPrimitives } from '../../crypto/primitives.ts';
import { type CameraDirectory, readLimited } from './camera-directory.ts';
import { CameraError } from './errors.ts';

const MAX_POLICY_BYTES = 512 * 1024;

/** Whose policy a camera obeys: its own id, and its owner's identity key. */
export interface PolicyIdentity {
  readonly camera: string;
  readonly owner: Uint8Array;
}

/** A policy whose signatures and batches fit; the digest is hexadecimal. */
export type PolicyOnFile = Omit<ReadPolicy, 'digest'> & { readonly digest: string };

/**
 * Reads the camera's policy file and checks every signature and hash in it.
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
export async function policyOf(
  text: string,
  identity: PolicyIdentity,
  primitives: OpeningPrimitives,
): Promise<PolicyOnFile> {
  const { digest, ...read } = await readPolicyFile(text, identity.camera, identity.owner, primitives);
  return { ...read, digest: toHex(digest) };
}
