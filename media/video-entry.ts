import { type Box, childrenOf, FieldReader, onlyBox, readBoxes, viewOf } from './boxes.ts';
import { VISUAL_SAMPLE_ENTRY } from './codec.ts';
import { MediaError } from './errors.ts';
import type { InitInfo } from './init.ts';
import type { Sps } from './sps.ts';
import { box, concat, u32s } from './writer.ts';

/** Where an init segment describes the pictures of its H.264 track. */
export interface VideoEntry {
  /** moov, trak, mdia, minf, stbl, stsd and the sample entry: what grows with the `avcC`. */
  readonly around: readonly Box[];
  readonly tkhd: Box;
  readonly entry: Box;
  readonly avcC: Box;
  readonly pasp: Box | undefined;
}

const PATH = ['mdia', 'minf', 'stbl', 'stsd'];

/** @returns undefined where the video track is not H.264. @throws MediaError. */
export function findVideoEntry(bytes: Uint8Array, { tracks, video }: InitInfo): VideoEntry | undefined {
  if (!/^avc[13]\./.test(video.codec)) return undefined;
  const moov = onlyBox([...readBoxes(bytes)], 'moov');
  const trak = childrenOf(bytes, moov).filter(({ type }) => type === 'trak')[tracks.indexOf(video)];
  if (trak === undefined) throw new MediaError('TRACK_VIDEO', 'not the video track that was read');
  const around = [moov, trak];
  for (const type of PATH) around.push(onlyBox(childrenOf(bytes, around.at(-1) as Box), type));
  const stsd = new FieldReader(bytes, around.at(-1) as Box);
  stsd.skip(8);
  const [entry] = readBoxes(bytes, stsd.position, stsd.position + stsd.remaining);
  if (entry === undefined) throw new MediaError('SAMPLE_ENTRY', 'no sample entry');
  const fields = new FieldReader(bytes, entry);
  fields.skip(VISUAL_SAMPLE_ENTRY);
  const inEntry = [...readBoxes(bytes, fields.position, entry.end)];
  return {
    around: [...around, entry],
    tkhd: onlyBox(childrenOf(bytes, trak), 'tkhd'),
    entry,
    avcC: onlyBox(inEntry, 'avcC'),
    pasp: inEntry.find(({ type }) => type === 'pasp'),
  };
}

/**
 * The init segment with another `avcC` and the size and pixel aspect of its pictures; all else byte for byte.
 * @param configuration the body of the `avcC`.
 */
export function withPictures(
  init: Uint8Array,
  { around, tkhd, entry, avcC, pasp }: VideoEntry,
  configuration: Uint8Array,
  { width, height, pixelAspect = SQUARE }: Sps,
): Uint8Array {
  const bytes = init.slice();
  const view = viewOf(bytes);
  view.setUint16(entry.body + 24, width);
  view.setUint16(entry.body + 26, height);
  writeShownSize(bytes, tkhd, (width * pixelAspect[0]) / pixelAspect[1], height);
  const aspect = u32s(pixelAspect);
  if (pasp !== undefined && pasp.end - pasp.body === aspect.length) bytes.set(aspect, pasp.body);
  const added = pasp === undefined && pixelAspect[0] !== pixelAspect[1] ? [box('pasp', aspect)] : [];
  const replacement = concat([box('avcC', configuration), ...added]);
  const growth = replacement.length - (avcC.end - avcC.start);
  for (const each of around) grow(view, each, growth);
  return concat([bytes.subarray(0, avcC.start), replacement, bytes.subarray(avcC.end)]);
}

const SQUARE = [1, 1] as const;

/** Box header, ISO/IEC 14496-12 section 4.2: a size of 32 bits, or 1 and one of 64 behind the type. */
function grow(view: DataView, { start, end }: Box, growth: number): void {
  const size = end - start + growth;
  if (view.getUint32(start) === 1) view.setBigUint64(start + 8, BigInt(size));
  else view.setUint32(start, size);
}

/** The last two fields of tkhd (section 8.3.2), in 16.16, of square pixels. */
function writeShownSize(bytes: Uint8Array, tkhd: Box, width: number, height: number): void {
  const fields = new FieldReader(bytes, tkhd);
  fields.skip(fields.versionAndFlags().version === 1 ? 32 : 20);
  fields.skip(52);
  const view = viewOf(bytes);
  view.setUint32(fields.skip(4), Math.min(Math.round(width * 0x1_0000), 0xffff_ffff));
  view.setUint32(fields.skip(4), height * 0x1_0000);
}
