import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { ed25519Verify } from '../crypto/curves.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { OtaError } from './errors.ts';
import { parseJson, writeJson } from './json.ts';

/**
 * Detached Ed25519 signatures over a file's exact bytes, of which a threshold of different keys has to fit:
 * `{"signatures": [{"key": id, "signature": hex}, …]}`. A key's id is the hex of SHA-256 over its 32 bytes.
 */

const MAX_SIGNATURES = 16;
const MAX_SIGNATURES_BYTES = 8 * 1024;

export const KeyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
/** The 32 bytes of an Ed25519 public key (RFC 8032 section 5.1.5), lower case hex. */
export const PublicKey = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Signature = v.strictObject({
  key: KeyId,
  signature: v.pipe(v.string(), v.regex(/^[0-9a-f]{128}$/)),
});
export type Signature = v.InferOutput<typeof Signature>;

const Signatures = v.strictObject({
  signatures: v.pipe(
    v.array(Signature),
    v.maxLength(MAX_SIGNATURES),
    v.check((list) => new Set(list.map(({ key }) => key)).size === list.length),
  ),
});

/** Whose signatures count, and how many of them it takes. */
export interface KeyRing {
  /** Public keys, hex. */
  readonly keys: readonly string[];
  readonly threshold: number;
}

export function keyIdOf(publicKey: string): string {
  return createHash('sha256').update(publicKey, 'hex').digest('hex');
}

/** @throws OtaError BUNDLE_OVERSIZED, SIGNATURES_MALFORMED, also for two signatures by one key. */
export function parseSignatures(bytes: Uint8Array): Signature[] {
  return parseJson(bytes, {
    what: 'signatures',
    maxBytes: MAX_SIGNATURES_BYTES,
    schema: Signatures,
    malformed: 'SIGNATURES_MALFORMED',
  }).signatures;
}

export function writeSignatures(signatures: readonly Signature[]): Uint8Array<ArrayBuffer> {
  return writeJson({ signatures: signatures.toSorted((a, b) => (a.key < b.key ? -1 : 1)) });
}

/** The ring's keys, by id, whose signature fits the message. Signatures by others do not matter. */
export async function fittingKeys(
  message: Uint8Array,
  signatures: readonly Signature[],
  ring: KeyRing,
): Promise<Set<string>> {
  const known = new Map(ring.keys.map((key) => [keyIdOf(key), key]));
  const fitting = new Set<string>();
  for (const { key, signature } of signatures) {
    const publicKey = known.get(key);
    if (publicKey === undefined) continue;
    const bytes = Buffer.from(signature, 'hex');
    if (await ed25519Verify(Buffer.from(publicKey, 'hex'), message, bytes, nodePrimitives)) fitting.add(key);
  }
  return fitting;
}

/** Whether so many different keys are enough. A threshold below one would be no lock at all, and counts as never met. */
export function meetsThreshold(fitting: ReadonlySet<string>, { threshold }: KeyRing): boolean {
  return Number.isInteger(threshold) && threshold >= 1 && fitting.size >= threshold;
}

/** @throws OtaError SIGNATURES_MISSING when fewer keys than the threshold have signed the message. */
export async function checkSignatures(
  what: string,
  message: Uint8Array,
  signatures: readonly Signature[],
  ring: KeyRing,
): Promise<void> {
  const fitting = await fittingKeys(message, signatures, ring);
  if (meetsThreshold(fitting, ring)) return;
  throw new OtaError(
    'SIGNATURES_MISSING',
    `${what}: ${fitting.size} of the ${ring.threshold} signatures needed fit`,
  );
}
