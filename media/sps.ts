import { BitReader } from './bits.ts';
import { MediaError } from './errors.ts';

/** What a sequence parameter set says of the pictures, ITU-T H.264 | ISO/IEC 14496-10, section 7.3.2.1. */
export interface Sps {
  readonly id: number;
  /** profile_idc, the byte of constraint flags, and level_idc. */
  readonly profile: number;
  readonly compatibility: number;
  readonly level: number;
  /** chroma_format_idc: 0 is monochrome, 1 is 4:2:0. */
  readonly chromaFormat: number;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
  /** Pixels that are shown: cropped. */
  readonly width: number;
  readonly height: number;
  /** Width to height of one pixel; undefined when it is not said. */
  readonly pixelAspect: readonly [number, number] | undefined;
}

/** Profiles whose parameter sets say the chroma format: section 7.3.2.1.1. */
const WITH_CHROMA_FORMAT = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/** What the sample entry of a track can say (ISO/IEC 14496-12 section 12.1.3). */
const MAX_SIDE = 0xffff;
const MAX_MACROBLOCKS = 0x1000;

/** Whether the profile's parameter sets say chroma format and bit depths, as then its `avcC` does too. */
export const saysChromaFormat = (profile: number): boolean => WITH_CHROMA_FORMAT.includes(profile);

/** @param nal the whole NAL unit. @throws MediaError PARAMETER_SET for what is not one or ends early. */
export function readSps(nal: Uint8Array): Sps {
  const bits = new BitReader(nal, 1);
  const [profile, compatibility, level] = [bits.bits(8), bits.bits(8), bits.bits(8)];
  const id = bits.unsigned(31);
  const chroma = saysChromaFormat(profile) ? readChroma(bits) : DEFAULT_CHROMA;
  bits.unsigned(12);
  skipPictureOrder(bits);
  bits.unsigned();
  bits.bit();
  const size = readSize(bits, chroma);
  const { chromaFormat, bitDepthLuma, bitDepthChroma } = chroma;
  const pixelAspect = bits.flag() ? readPixelAspect(bits) : undefined;
  return {
    ...{ id, profile, compatibility, level },
    ...{ chromaFormat, bitDepthLuma, bitDepthChroma },
    ...size,
    pixelAspect,
  };
}

/** seq_parameter_set_id of a set that need not be read further. @throws MediaError PARAMETER_SET. */
export const spsId = (nal: Uint8Array): number => new BitReader(nal, 4).unsigned(31);

interface Chroma extends Pick<Sps, 'chromaFormat' | 'bitDepthLuma' | 'bitDepthChroma'> {
  /** Three pictures of one colour each: then a cropping unit is as without colour. */
  readonly separate: boolean;
}

const DEFAULT_CHROMA: Chroma = { chromaFormat: 1, bitDepthLuma: 8, bitDepthChroma: 8, separate: false };

function readChroma(bits: BitReader): Chroma {
  const chromaFormat = bits.unsigned(3);
  const separate = chromaFormat === 3 && bits.flag();
  const [bitDepthLuma, bitDepthChroma] = [8 + bits.unsigned(6), 8 + bits.unsigned(6)];
  bits.bit();
  if (bits.flag()) skipScalingMatrix(bits, chromaFormat === 3 ? 12 : 8);
  return { chromaFormat, bitDepthLuma, bitDepthChroma, separate };
}

/** scaling_list(), section 7.3.2.1.1.1. */
function skipScalingMatrix(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (!bits.flag()) continue;
    let [last, next] = [8, 8];
    for (let index = 0; index < (list < 6 ? 16 : 64); index++) {
      if (next !== 0) next = (last + bits.signed()) & 0xff;
      last = next === 0 ? last : next;
    }
  }
}

function skipPictureOrder(bits: BitReader): void {
  const type = bits.unsigned(2);
  if (type === 0) bits.unsigned(12);
  if (type !== 1) return;
  bits.bit();
  bits.signed();
  bits.signed();
  for (let left = bits.unsigned(255); left > 0; left--) bits.signed();
}

/** Of pixels, with the cropping of section 7.4.2.1.1 (equations 7-19 to 7-22) taken off. */
function readSize(bits: BitReader, { chromaFormat, separate }: Chroma): { width: number; height: number } {
  const across = bits.unsigned(MAX_MACROBLOCKS - 1) + 1;
  const down = bits.unsigned(MAX_MACROBLOCKS - 1) + 1;
  const fields = bits.flag() ? 1 : 2;
  if (fields === 2) bits.bit();
  bits.bit();
  const subsampled = !separate && chromaFormat > 0;
  const unitX = subsampled && chromaFormat < 3 ? 2 : 1;
  const unitY = (subsampled && chromaFormat === 1 ? 2 : 1) * fields;
  const [left, right, top, bottom] = bits.flag()
    ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()]
    : [0, 0, 0, 0];
  const width = across * 16 - (left + right) * unitX;
  const height = down * 16 * fields - (top + bottom) * unitY;
  if (Math.min(width, height) < 1 || Math.max(width, height) > MAX_SIDE) {
    throw new MediaError('PARAMETER_SET', `pictures of ${width} by ${height}`);
  }
  return { width, height };
}

/** Table E-1, from aspect_ratio_idc 1 on. */
const PIXEL_ASPECTS: readonly (readonly [number, number])[] = [
  ...([
    [1, 1],
    [12, 11],
    [10, 11],
    [16, 11],
    [40, 33],
    [24, 11],
    [20, 11],
    [32, 11],
  ] as const),
  ...([
    [80, 33],
    [18, 11],
    [15, 11],
    [64, 33],
    [160, 99],
    [4, 3],
    [3, 2],
    [2, 1],
  ] as const),
];
const EXTENDED_ASPECT = 255;

/** The beginning of the VUI, section E.1.1. */
function readPixelAspect(bits: BitReader): readonly [number, number] | undefined {
  if (!bits.flag()) return undefined;
  const code = bits.bits(8);
  if (code !== EXTENDED_ASPECT) return PIXEL_ASPECTS[code - 1];
  const [width, height] = [bits.bits(16), bits.bits(16)];
  return width > 0 && height > 0 ? [width, height] : undefined;
}
