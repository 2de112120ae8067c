import { concat, fromUtf8, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { FieldReader, FieldWriter } from './fields.ts';

/**
 * The plaintext of record 0 (docs/reference/format.md, "Opening record"): what makes a segment open alone.
 */
export interface OpeningRecord {
  /** Random, 8 bytes: the same for all segments of one run of the encoder, whose decode times go on. */
  readonly run: Uint8Array;
  /** The video track's time units per second. */
  readonly timescale: number;
  /** Decode time of the segment's first video sample, in those units, counted from the run's start. */
  readonly decodeTime: number;
  /** RFC 6381 codec strings of all tracks, comma-separated: "avc1.64001f,mp4a.40.2". */
  readonly codecs: string;
  /** The init segment: `ftyp` and `moov` (ISO/IEC 14496-12). */
  readonly init: Uint8Array;
}

const RUN_LENGTH = 8;
const FIXED_LENGTH = RUN_LENGTH + 4 + 8 + 2;
const MAX_CODECS_LENGTH = 256;

/** Decode time of the segment's first video sample, microseconds. */
export const decodeTimeUs = ({ decodeTime, timescale }: Pick<OpeningRecord, 'decodeTime' | 'timescale'>) =>
  (decodeTime / timescale) * 1e6;

export function encodeOpeningRecord(opening: OpeningRecord): Uint8Array {
  const codecs = utf8(opening.codecs);
  if (codecs.length > MAX_CODECS_LENGTH) throw new RangeError('codec strings are too long');
  const fixed = new FieldWriter(FIXED_LENGTH)
    .raw(opening.run)
    .u32(opening.timescale)
    .u64(opening.decodeTime)
    .u16(codecs.length).bytes;
  return concat(fixed, codecs, opening.init);
}

/** @throws CryptoError RECORD_MALFORMED. */
export function readOpeningRecord(bytes: Uint8Array): OpeningRecord {
  const malformed = (cause?: unknown) =>
    new CryptoError('RECORD_MALFORMED', 'opening record: fields do not fit its length', cause);
  if (bytes.length < FIXED_LENGTH) throw malformed();
  const fields = new FieldReader(bytes);
  try {
    const run = fields.raw(RUN_LENGTH);
    const timescale = fields.u32();
    const decodeTime = fields.u64();
    const codecsLength = fields.u16();
    if (timescale === 0 || codecsLength > MAX_CODECS_LENGTH) throw malformed();
    const codecs = fromUtf8(fields.raw(codecsLength));
    return { run, timescale, decodeTime, codecs, init: bytes.slice(fields.offset) };
  } catch (cause) {
    throw cause instanceof CryptoError ? cause : malformed(cause);
  }
}
