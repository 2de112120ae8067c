import { toBase64Url } from '../../crypto/bytes.ts';
import type { Ed25519Pair } from '../../crypto/curves.ts';
import type { SignedBatchText } from '../../crypto/day-keys.ts';
import { signDocument, signedBytes } from '../../crypto/document.ts';
import type { Policy } from '../../crypto/policy.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';

/** What a policy says of a viewer who has these batches. */
export const termsOf = (
  identity: Uint8Array,
  floor: number,
  ...batches: readonly SignedBatchText[]
): Policy['viewers'][number] => ({
  identity: new Uint8Array(identity),
  floor,
  batches: batches.map(({ batch }) => new Uint8Array(nodePrimitives.sha256(signedBytes(batch)))),
});

/** A policy file as version 1 of the format had it: the batches are not named in it. */
export function firstPolicyFile(
  { viewers, ...policy }: Policy,
  owner: Ed25519Pair,
  dayKeys: readonly SignedBatchText[],
): string {
  const document = {
    ...policy,
    viewers: viewers.map(({ identity }) => toBase64Url(identity)),
    dayKey: viewers[0]?.floor ?? 0,
  };
  const signed = signDocument('application/vnd.oriel.policy.v1+json', document, owner);
  return `${JSON.stringify({ policy: signed, dayKeys }, undefined, 2)}\n`;
}
