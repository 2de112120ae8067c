import * as v from 'valibot';
import { equal, toBase64Url, toHex, utf8 } from './bytes.ts';
import { type Ed25519Pair, viewerIdOf } from './curves.ts';
import {
  openBatches,
  type SignedBatch,
  type SignedBatchText,
  usableNumbers,
  type ViewerDayKeys,
} from './day-keys.ts';
import { bytesField, type Envelope, openDocument, parseJson, signDocument, signedBytes } from './document.ts';
import { CryptoError } from './errors.ts';
import { DIGEST_LENGTH } from './header.ts';
import {
  COMMON_FIELDS,
  MAX_BATCHES,
  MAX_VIEWERS,
  PolicyFile,
  publicKey,
  type UpdateChoice,
  u32Number,
} from './policy-fields.ts';
import type { OpeningPrimitives } from './primitives.ts';

/**
 * Policies of version 1, which name no batches: a server that carries one can put other batches beside it. A camera goes on
 * with the file that it obeyed before, byte for byte, and takes no other (decision 0023).
 */

const POLICY_TYPE_1 = 'application/vnd.oriel.policy.v1+json';

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
async function openFirstPolicy(
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

/**
 * What a camera obeys: one declarative policy, signed by its owner, and with it the day keys of the viewers it names.
 * The policy names each batch by its hash: who carries the file can put no other beside it (docs/reference/format.md, "Policy").
 */

const POLICY_TYPE = 'application/vnd.oriel.policy.v2+json';

export type { UpdateChoice };

const ViewerTerms = v.strictObject({
  /** Ed25519 public key. */
  identity: publicKey,
  /** No key of this viewer with a lower number is sealed to. */
  floor: u32Number,
  /** SHA-256 over the signed bytes of each of the viewer's batches. */
  batches: v.pipe(
    v.array(bytesField(DIGEST_LENGTH)),
    v.minLength(1),
    v.maxLength(MAX_BATCHES),
    distinct((hash) => hash),
  ),
});

const PolicyDocument = v.strictObject({
  ...COMMON_FIELDS,
  /** Those who may open the footage. */
  viewers: v.pipe(
    v.array(ViewerTerms),
    v.minLength(1),
    v.maxLength(MAX_VIEWERS),
    distinct(({ identity }) => identity),
  ),
});
export type Policy = v.InferOutput<typeof PolicyDocument>;

function distinct<T>(bytesOf: (item: T) => Uint8Array) {
  return v.check<T[], string>(
    (items) => new Set(items.map((item) => toHex(bytesOf(item)))).size === items.length,
    'one is there twice',
  );
}

export interface PolicyInForce {
  readonly policy: Policy;
  /** In the order of the policy. */
  readonly viewers: readonly ViewerDayKeys[];
}

/** A policy file whose every signature fits. */
export interface ReadPolicy extends PolicyInForce {
  /** 1: it names no batches. A camera takes such a file only if it obeyed this very one before. */
  readonly version: 1 | 2;
  /**
   * What it is told apart by from another of the same counter, SHA-256, 32 bytes: over the policy as its owner signed it;
   * of version 1, over the whole file.
   */
  readonly digest: Uint8Array;
}

/** The text of a policy file: the policy signed by the owner, with the viewers' signed day keys. */
export function writePolicyFile(
  policy: Policy,
  owner: Ed25519Pair,
  dayKeys: readonly SignedBatchText[],
): string {
  const viewers = policy.viewers.map(({ identity, floor, batches }) => ({
    identity: toBase64Url(identity),
    floor,
    batches: batches.map(toBase64Url),
  }));
  const signed = signDocument(POLICY_TYPE, { ...policy, viewers }, owner);
  return `${JSON.stringify({ policy: signed, dayKeys }, undefined, 2)}\n`;
}

/**
 * Reads a policy file and checks every signature and every hash in it, in this order: the policy's signature, its camera,
 * that the file holds exactly the batches that the policy names, their signatures, and that somebody can be sealed to.
 * @throws CryptoError DOCUMENT_MALFORMED, DOCUMENT_FORGED; CAMERA_FOREIGN when it is another camera's; DAY_KEYS_MISSING,
 * DAY_KEYS_UNNAMED, DAY_KEYS_BELOW_FLOOR.
 */
export async function readPolicyFile(
  text: string,
  camera: string,
  owner: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ed25519Verify' | 'sha256'>,
): Promise<ReadPolicy> {
  const file = parseJson(text, PolicyFile, 'policy file');
  const first = file.policy.payloadType === POLICY_TYPE_1;
  const policy = first
    ? await openFirstPolicy(file, owner, primitives)
    : await openDocument(file.policy, POLICY_TYPE, PolicyDocument, owner, primitives);
  if (policy.camera !== camera) {
    throw new CryptoError('CAMERA_FOREIGN', `policy is for camera ${policy.camera}`);
  }
  const viewers = await dayKeysOf(policy, file.dayKeys, primitives);
  if (viewers.every((viewer) => usableNumbers(viewer).length === 0)) {
    throw new CryptoError(
      'DAY_KEYS_BELOW_FLOOR',
      'no viewer of the policy has a day key at or above its floor',
    );
  }
  const digest = await primitives.sha256(first ? utf8(text) : signedBytes(file.policy));
  return { policy, viewers, version: first ? 1 : 2, digest };
}

/** Each viewer's keys, out of exactly the batches that the policy names, each of them there once. */
async function dayKeysOf(
  { viewers }: Policy,
  given: readonly SignedBatch[],
  primitives: Pick<OpeningPrimitives, 'ed25519Verify' | 'sha256'>,
): Promise<ViewerDayKeys[]> {
  const hashed = await Promise.all(
    given.map(async ({ viewer, batch }) => ({
      viewer,
      batch,
      hash: await primitives.sha256(signedBytes(batch)),
    })),
  );
  const named = viewers.map(({ identity, batches }) =>
    batches.map((hash): Envelope => {
      const found = hashed.find((each) => equal(each.hash, hash) && equal(each.viewer, identity));
      if (found !== undefined) return found.batch;
      throw new CryptoError('DAY_KEYS_MISSING', 'a batch of day keys that the policy names is not beside it');
    }),
  );
  const wanted = new Set(named.flat());
  if (hashed.some(({ batch }) => !wanted.has(batch))) {
    throw new CryptoError(
      'DAY_KEYS_UNNAMED',
      'a batch of day keys lies beside the policy that it does not name',
    );
  }
  return Promise.all(
    viewers.map(async ({ identity, floor }, at) => ({
      viewer: await viewerIdOf(identity, primitives),
      floor,
      keys: await openBatches(named[at] ?? [], identity, primitives),
    })),
  );
}
