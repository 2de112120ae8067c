import { concat, equal, utf8 } from './bytes.ts';
import { PUBLIC_KEY_LENGTH } from './curves.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { DIGEST_LENGTH, SIGNATURE_LENGTH } from './header.ts';
import { equalTags, hmacSha256 } from './hmac.ts';
import { MAX_ORIGIN_LENGTH, originOf } from './origin.ts';
import { isP256Point, POINT_LENGTH } from './p256.ts';
import type { DeviceSigner, OpeningPrimitives } from './primitives.ts';

/**
 * What a camera states when it is paired (docs/reference/format.md, "Pairing statement"): its key, and everything that its
 * setup code said. The tag shows its owner that it comes from the camera that read the code, for only the two know
 * the pairing secret; the signature, that this camera holds the key. The server in between can make neither.
 */

/** What a setup code lays down and camera and owner have to agree on. */
export interface PairingTerms {
  /** Ed25519 identity of the owner, 32 bytes. */
  readonly owner: Uint8Array;
  /** SHA-256 of the SubjectPublicKeyInfo of the server's CA, 32 bytes. */
  readonly activePin: Uint8Array;
  /** As the active pin; zeros when there is none. */
  readonly backupPin: Uint8Array;
  /** When the setup code expires, seconds since 1970. */
  readonly expires: number;
  /** `https://HOST[:PORT]` of the server. */
  readonly origin: string;
}

export interface PairingStatement extends PairingTerms {
  /** The camera's device key, an uncompressed P-256 point, 65 bytes. */
  readonly point: Uint8Array;
}

export const PROOF_KEY_LENGTH = 32;
const FIXED_LENGTH = POINT_LENGTH + PUBLIC_KEY_LENGTH + DIGEST_LENGTH + DIGEST_LENGTH + 4 + 1;
const PROOF_LENGTH = DIGEST_LENGTH + SIGNATURE_LENGTH;
/** Of a whole statement, bytes. */
export const MAX_PAIRING_STATEMENT_LENGTH = FIXED_LENGTH + MAX_ORIGIN_LENGTH + PROOF_LENGTH;
const TAG_CONTEXT = utf8('oriel/1 pairing\0');
const SIGNATURE_CONTEXT = utf8('oriel/1 pairing statement\0');

/**
 * The camera's statement.
 * @param proofKey derived from the pairing secret, 32 bytes (docs/reference/format.md, "Setup code").
 * @throws CryptoError KEY_MALFORMED, DOCUMENT_MALFORMED for terms that are none.
 */
export async function makePairingStatement(
  terms: PairingTerms,
  proofKey: Uint8Array,
  signer: DeviceSigner,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<Uint8Array> {
  const transcript = encodeTranscript(terms, signer.point);
  const tagged = concat(transcript, await tagOf(transcript, proofKey, primitives));
  return concat(tagged, signer.sign(concat(SIGNATURE_CONTEXT, tagged)));
}

/** Reads a statement without judging it. @throws CryptoError DOCUMENT_MALFORMED. */
export function parsePairingStatement(bytes: Uint8Array): PairingStatement {
  if (bytes.length < FIXED_LENGTH + PROOF_LENGTH || bytes.length > MAX_PAIRING_STATEMENT_LENGTH) {
    throw malformed(`${bytes.length} bytes are outside the limits`);
  }
  const fields = new FieldReader(bytes);
  const point = fields.raw(POINT_LENGTH);
  if (!isP256Point(point)) throw malformed("the camera's key is no uncompressed point");
  const owner = fields.raw(PUBLIC_KEY_LENGTH);
  const activePin = fields.raw(DIGEST_LENGTH);
  const backupPin = fields.raw(DIGEST_LENGTH);
  const expires = fields.u32();
  const originLength = fields.u8();
  if (bytes.length !== FIXED_LENGTH + originLength + PROOF_LENGTH) throw malformed('its length does not fit');
  const origin = readOrigin(fields.raw(originLength));
  return { point, owner, activePin, backupPin, expires, origin };
}

/**
 * A statement whose signature fits the device key it names: whoever made it holds that key.
 * @throws CryptoError DOCUMENT_MALFORMED, PAIRING_FORGED.
 */
export async function readPairingStatement(
  bytes: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ecdsaVerify'>,
): Promise<PairingStatement> {
  const statement = parsePairingStatement(bytes);
  const { tagged, signature } = partsOf(bytes);
  if (!(await primitives.ecdsaVerify(statement.point, concat(SIGNATURE_CONTEXT, tagged), signature))) {
    throw new CryptoError('PAIRING_FORGED', "pairing statement: the signature does not fit the camera's key");
  }
  return statement;
}

/**
 * The owner's judgement: made by a camera that read this very setup code and holds the key it names.
 * @throws CryptoError DOCUMENT_MALFORMED, PAIRING_FORGED.
 */
export async function verifyPairingStatement(
  bytes: Uint8Array,
  terms: PairingTerms,
  proofKey: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'sha256' | 'ecdsaVerify'>,
): Promise<PairingStatement> {
  const statement = await readPairingStatement(bytes, primitives);
  const { transcript, tag } = partsOf(bytes);
  if (!equalTags(tag, await tagOf(transcript, proofKey, primitives))) {
    throw new CryptoError(
      'PAIRING_FORGED',
      'pairing statement: its maker does not know the pairing secret of the setup code',
    );
  }
  if (!equal(transcript, encodeTranscript(terms, statement.point))) {
    throw new CryptoError('PAIRING_FORGED', 'pairing statement: its terms are not those of the setup code');
  }
  return statement;
}

function encodeTranscript(terms: PairingTerms, point: Uint8Array): Uint8Array {
  const origin = utf8(terms.origin);
  if (readOrigin(origin).length > MAX_ORIGIN_LENGTH) throw malformed('the origin is too long');
  for (const [bytes, length] of [
    [point, POINT_LENGTH],
    [terms.owner, PUBLIC_KEY_LENGTH],
    [terms.activePin, DIGEST_LENGTH],
    [terms.backupPin, DIGEST_LENGTH],
  ] as const) {
    if (bytes.length !== length) throw new CryptoError('KEY_MALFORMED', 'pairing statement: a key or pin');
  }
  return new FieldWriter(FIXED_LENGTH + origin.length)
    .raw(point)
    .raw(terms.owner)
    .raw(terms.activePin)
    .raw(terms.backupPin)
    .u32(terms.expires)
    .u8(origin.length)
    .raw(origin).bytes;
}

function readOrigin(bytes: Uint8Array): string {
  const origin = originOf(bytes);
  if (origin === undefined) throw malformed('the server is not given as https://HOST[:PORT]');
  return origin;
}

function partsOf(bytes: Uint8Array) {
  const tagged = bytes.subarray(0, bytes.length - SIGNATURE_LENGTH);
  return {
    transcript: tagged.subarray(0, tagged.length - DIGEST_LENGTH),
    tag: tagged.subarray(tagged.length - DIGEST_LENGTH),
    tagged,
    signature: bytes.subarray(bytes.length - SIGNATURE_LENGTH),
  };
}

function tagOf(
  transcript: Uint8Array,
  proofKey: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'sha256'>,
): Promise<Uint8Array> {
  if (proofKey.length !== PROOF_KEY_LENGTH)
    throw new CryptoError('KEY_MALFORMED', 'pairing statement: proof key');
  return hmacSha256(proofKey, concat(TAG_CONTEXT, transcript), primitives);
}

function malformed(what: string, cause?: unknown): CryptoError {
  return new CryptoError('DOCUMENT_MALFORMED', `pairing statement: ${what}`, cause);
}
