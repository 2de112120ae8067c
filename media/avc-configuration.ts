import { type Box, FieldReader } from './boxes.ts';
import { MediaError } from './errors.ts';
import { type Sps, saysChromaFormat } from './sps.ts';
import { concat } from './writer.ts';

/** AVCDecoderConfigurationRecord: the body of an `avcC` box, ISO/IEC 14496-15 section 5.3.3.1. */
export interface AvcConfiguration {
  /** Bytes of the length before each NAL unit of a sample: 1, 2 or 4. */
  readonly lengthSize: number;
  /** NAL units, in place. */
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}

/** What its fields can count. */
export const MAX_SPS = 31;
export const MAX_PPS = 255;

/** @throws MediaError SAMPLE_ENTRY, BOX_SIZE. */
export function readAvcConfiguration(bytes: Uint8Array, avcC: Box): AvcConfiguration {
  const fields = new FieldReader(bytes, avcC);
  if (fields.u8() !== 1) throw new MediaError('SAMPLE_ENTRY', 'avcC of an unknown version');
  fields.skip(3);
  const lengthSize = (fields.u8() & 3) + 1;
  if (lengthSize === 3) throw new MediaError('SAMPLE_ENTRY', 'avcC with lengths of 3 bytes');
  const sets = (count: number) => Array.from({ length: count }, () => readSet(bytes, fields));
  const sps = sets(fields.u8() & 0x1f);
  return { lengthSize, sps, pps: sets(fields.u8()) };
}

function readSet(bytes: Uint8Array, fields: FieldReader): Uint8Array {
  const length = fields.u16();
  const start = fields.skip(length);
  return bytes.subarray(start, start + length);
}

/** The body of an `avcC` box. @param active the set that the pictures use. */
export function writeAvcConfiguration({ lengthSize, sps, pps }: AvcConfiguration, active: Sps): Uint8Array {
  const { profile, compatibility, level, chromaFormat, bitDepthLuma, bitDepthChroma } = active;
  const withLength = (set: Uint8Array) => concat([new Uint8Array([set.length >> 8, set.length & 0xff]), set]);
  const chroma = [0xfc | chromaFormat, 0xf8 | (bitDepthLuma - 8), 0xf8 | (bitDepthChroma - 8), 0];
  return concat([
    new Uint8Array([1, profile, compatibility, level, 0xfc | (lengthSize - 1), 0xe0 | sps.length]),
    ...sps.map(withLength),
    new Uint8Array([pps.length]),
    ...pps.map(withLength),
    new Uint8Array(saysChromaFormat(profile) ? chroma : []),
  ]);
}
