import { concat, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { DIGEST_LENGTH, SIGNATURE_LENGTH } from './header.ts';
import type { DeviceSigner, OpeningPrimitives } from './primitives.ts';

/**
 * The plaintext of a segment's closing record (docs/reference/format.md, "Closing record"): what the camera signs when
 * a segment has come to its end.
 */
export interface Closing {
  /** Records before this one, the opening record included. */
  readonly records: number;
  /** Duration of their video samples, microseconds. */
  readonly durationUs: number;
  /** The segment's running digest after them. */
  readonly digest: Uint8Array;
  /** The digest at the end of the segment before it in the session; zeros for the session's first. */
  readonly previousDigest: Uint8Array;
  /** Whether the session ends with this segment. */
  readonly final: boolean;
}

const STATEMENT_LENGTH = 4 + 8 + DIGEST_LENGTH * 2 + 1;
export const CLOSING_LENGTH = STATEMENT_LENGTH + SIGNATURE_LENGTH;
const CONTEXT = utf8('oriel/1 closing\0');

/** @param headerHash SHA-256 of the segment header, which the signature covers too. */
export function signClosing(closing: Closing, headerHash: Uint8Array, signer: DeviceSigner): Uint8Array {
  const statement = new FieldWriter(STATEMENT_LENGTH)
    .u32(closing.records)
    .u64(closing.durationUs)
    .raw(closing.digest)
    .raw(closing.previousDigest)
    .u8(closing.final ? 1 : 0).bytes;
  return concat(statement, signer.sign(concat(CONTEXT, headerHash, statement)));
}

/** @throws CryptoError CLOSING_FORGED. */
export async function readClosing(
  bytes: Uint8Array,
  headerHash: Uint8Array,
  point: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ecdsaVerify'>,
): Promise<Closing> {
  const forged = (what: string, cause?: unknown) =>
    new CryptoError('CLOSING_FORGED', `closing record: ${what}`, cause);
  if (bytes.length !== CLOSING_LENGTH) throw forged(`${bytes.length} bytes instead of ${CLOSING_LENGTH}`);
  const statement = bytes.subarray(0, STATEMENT_LENGTH);
  const signature = bytes.subarray(STATEMENT_LENGTH);
  if (!(await primitives.ecdsaVerify(point, concat(CONTEXT, headerHash, statement), signature))) {
    throw forged("signature does not fit the camera's device key");
  }
  const fields = new FieldReader(statement);
  try {
    const closing = {
      records: fields.u32(),
      durationUs: fields.u64(),
      digest: fields.raw(DIGEST_LENGTH),
      previousDigest: fields.raw(DIGEST_LENGTH),
    };
    const flags = fields.u8();
    if (flags > 1) throw forged(`flags ${flags} are unknown`);
    return { ...closing, final: flags === 1 };
  } catch (cause) {
    if (cause instanceof CryptoError) throw cause;
    throw forged('a number is out of range', cause);
  }
}
