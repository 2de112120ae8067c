import { concat, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { DIGEST_LENGTH, SIGNATURE_LENGTH } from './header.ts';
import type { DeviceSigner, OpeningPrimitives } from './primitives.ts';
import {
  finishRecord,
  MARK_COUNTER,
  RECORD_HEADER_LENGTH,
  RECORD_OVERHEAD,
  RECORD_TYPES,
  writeRecordHeader,
} from './record.ts';

/**
 * What a camera states, signed but not sealed, about a segment that got no closing record (docs/reference/format.md,
 * "Mark"): by the time it is written the segment's key is gone.
 */
export interface Mark {
  /**
   * `cut`: the camera stopped while the segment grew. `dropped`: it had no room to keep it. `unknown`: it knows nothing
   * of this segment, vouches for nothing, and does not say how it ended.
   */
  readonly kind: 'cut' | 'dropped' | 'unknown';
  /** Whether its signature covers the byte at which it stands: then nothing before it can be taken away unseen. */
  readonly placed: boolean;
  /** How many records from the segment's start the camera vouches for; those after them only their tags do. */
  readonly vouchedRecords: number;
  /** Running digest after them; that of the bare header when there are none, zeros when it is not known. */
  readonly vouchedDigest: Uint8Array;
  /** Duration given up, as far as the camera knows it, microseconds. */
  readonly lostUs: number;
  /** When the mark was made, milliseconds since 1970, for display. */
  readonly timeMs: number;
}

/** Where a mark stands. */
export interface MarkPlace {
  /** SHA-256 of the segment header. */
  readonly headerHash: Uint8Array;
  /** Byte of the segment at which the mark's record begins. */
  readonly at: number;
}

const KINDS = ['cut', 'dropped', 'unknown'] as const;
/** Kinds 1 to 3 say nothing of their place; 4 to 6 are the same, placed. */
const PLACED = KINDS.length;
const STATEMENT_LENGTH = 1 + 4 + DIGEST_LENGTH + 8 + 8;
export const MARK_PAYLOAD_LENGTH = STATEMENT_LENGTH + SIGNATURE_LENGTH;
const CONTEXT = utf8('oriel/1 mark\0');
const PLACED_CONTEXT = utf8('oriel/1 placed mark\0');

/** What the device key signs. */
function signed(placed: boolean, { headerHash, at }: MarkPlace, statement: Uint8Array): Uint8Array {
  if (!placed) return concat(CONTEXT, headerHash, statement);
  return concat(PLACED_CONTEXT, headerHash, statement, new FieldWriter(8).u64(at).bytes);
}

/** The mark's whole frame, to be appended to the segment where the server's copy ends. */
export function makeMarkRecord(
  mark: Mark,
  place: MarkPlace,
  signer: DeviceSigner,
  crc32: (data: Uint8Array, seed?: number) => number,
): Uint8Array {
  const statement = new FieldWriter(STATEMENT_LENGTH)
    .u8(KINDS.indexOf(mark.kind) + 1 + (mark.placed ? PLACED : 0))
    .u32(mark.vouchedRecords)
    .raw(mark.vouchedDigest)
    .u64(mark.lostUs)
    .u64(mark.timeMs).bytes;
  const frame = new Uint8Array(RECORD_OVERHEAD + MARK_PAYLOAD_LENGTH);
  writeRecordHeader(frame, place.headerHash, MARK_COUNTER, 0, RECORD_TYPES.mark, crc32);
  frame.set(statement, RECORD_HEADER_LENGTH);
  const signature = signer.sign(signed(mark.placed, place, statement));
  frame.set(signature, RECORD_HEADER_LENGTH + STATEMENT_LENGTH);
  return finishRecord(frame, crc32);
}

/** Reads a mark record's payload and checks its signature. @throws CryptoError MARK_FORGED. */
export async function readMark(
  payload: Uint8Array,
  place: MarkPlace,
  point: Uint8Array,
  primitives: Pick<OpeningPrimitives, 'ecdsaVerify'>,
): Promise<Mark> {
  const forged = (what: string, cause?: unknown) => new CryptoError('MARK_FORGED', `mark: ${what}`, cause);
  if (payload.length !== MARK_PAYLOAD_LENGTH) throw forged(`${payload.length} bytes are not its length`);
  const statement = payload.subarray(0, STATEMENT_LENGTH);
  const signature = payload.subarray(STATEMENT_LENGTH);
  const fields = new FieldReader(statement);
  const number = fields.u8();
  const placed = number > PLACED;
  if (!(await primitives.ecdsaVerify(point, signed(placed, place, statement), signature))) {
    throw forged(
      placed
        ? "signature does not fit the camera's device key, or records before it are not all there"
        : "signature does not fit the camera's device key",
    );
  }
  const kind = KINDS[(placed ? number - PLACED : number) - 1];
  if (kind === undefined) throw forged('kind is unknown');
  const mark = readStatement(kind, placed, fields, forged);
  if (kind === 'unknown' && (mark.vouchedRecords !== 0 || mark.lostUs !== 0)) {
    throw forged('it states more of a segment than that it is unknown');
  }
  return mark;
}

function readStatement(
  kind: Mark['kind'],
  placed: boolean,
  fields: FieldReader,
  forged: (what: string, cause: unknown) => CryptoError,
): Mark {
  try {
    return {
      kind,
      placed,
      vouchedRecords: fields.u32(),
      vouchedDigest: fields.raw(DIGEST_LENGTH),
      lostUs: fields.u64(),
      timeMs: fields.u64(),
    };
  } catch (cause) {
    throw forged('a number is out of range', cause);
  }
}
