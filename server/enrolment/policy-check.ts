import { fromUtf8 } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { readPolicyFile } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_POLICY_BYTES } from '../../wire/enrolment.ts';
import { ServerError } from '../errors.ts';
import type { CameraRecord } from '../registry/registry-tables.ts';

/**
 * Whether a camera would take this policy file: signed by its owner, for it, and with the day keys that it names. Spares a person a policy that the
 * camera refuses; the camera itself never relies on it.
 * @throws ServerError POLICY_REFUSED.
 */
export async function checkPolicy({ id, owner }: CameraRecord, file: Uint8Array): Promise<void> {
  if (file.length > MAX_POLICY_BYTES) {
    throw new ServerError('POLICY_REFUSED', `a policy file has at most ${MAX_POLICY_BYTES} bytes`);
  }
  if (owner === undefined) return;
  try {
    const { version } = await readPolicyFile(fromUtf8(file), id, owner, nodePrimitives);
    if (version === 1) {
      throw new CryptoError('DOCUMENT_MALFORMED', 'it is of version 1');
    }
  } catch (cause) {
    const why = cause instanceof CryptoError ? cause.message : 'it is no text';
    throw new ServerError(
      'POLICY_REFUSED',
      `camera ${id} would not take this policy: ${why}; have its owner sign one for it: oriel keys policy`,
      cause,
    );
  }
}
