import * as v from 'valibot';
import { equal } from './bytes.ts';
import { openDocument, signedBytes } from './document.ts';
import type { Policy } from './policy.ts';
import { COMMON_FIELDS, MAX_VIEWERS, type PolicyFile, publicKey, u32Number } from './policy-fields.ts';
import type { OpeningPrimitives } from './primitives.ts';

/**
 * Policies of version 1, which name no batches: a server that carries one can put other batches beside it. A camera goes on
 * with the file that it obeyed before, byte for byte, and takes no other (decision 0023).
 */

export const POLICY_TYPE_1 = 'application/vnd.oriel.policy.v1+json';

const PolicyDocument1 = v.strictObject({
  ...COMMON_FIELDS,
  viewers: v.pipe(v.array(publicKey), v.minLength(1), v.maxLength(MAX_VIEWERS)),
  /** One floor for all viewers. */
  dayKey: u32Number,
});

/**
 * The policy of such a file as if it named the batches that lie beside it.
 * @throws CryptoError DOCUMENT_MALFORMED, DOCUMENT_FORGED.
 */
export async function openFirstPolicy(
  file: PolicyFile,
  owner: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify' | 'sha256'>,
): Promise<Policy> {
  const { dayKey, ...policy } = await openDocument(
    file.policy,
    POLICY_TYPE_1,
    PolicyDocument1,
    owner,
    primitives,
  );
  const viewers = policy.viewers.map(async (identity) => {
    const own = file.dayKeys.filter(({ viewer }) => equal(viewer, identity));
    const batches = await Promise.all(
      own.map(async ({ batch }) => new Uint8Array(await primitives.sha256(signedBytes(batch)))),
    );
    return { identity, floor: dayKey, batches };
  });
  return { ...policy, viewers: await Promise.all(viewers) };
}
