import { BitReader } from './bits.ts';
import { type Box, FieldReader, viewOf } from './boxes.ts';
import { MediaError } from './errors.ts';
import { readFragment } from './fragment.ts';
import { type InitInfo, parseInit } from './init.ts';
import { readSps, type Sps, saysChromaFormat, spsId } from './sps.ts';
import { findVideoEntry, withPictures } from './video-entry.ts';
import { concat } from './writer.ts';

/** AVCDecoderConfigurationRecord: the body of an `avcC` box, ISO/IEC 14496-15 section 5.3.3.1. */
interface AvcConfiguration {
  /** Bytes of the length before each NAL unit of a sample: 1, 2 or 4. */
  readonly lengthSize: number;
  /** NAL units, in place. */
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}

/** What its fields can count. */
const MAX_SPS = 31;
const MAX_PPS = 255;

/** @throws MediaError SAMPLE_ENTRY, BOX_SIZE. */
function readAvcConfiguration(bytes: Uint8Array, avcC: Box): AvcConfiguration {
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
function writeAvcConfiguration({ lengthSize, sps, pps }: AvcConfiguration, active: Sps): Uint8Array {
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

/** An init segment, ftyp and moov, and what `parseInit` says of it. */
export interface InitSegment {
  readonly bytes: Uint8Array;
  readonly info: InitInfo;
}

/** nal_unit_type, ITU-T H.264 | ISO/IEC 14496-10, table 7-1. */
const NAL = { firstSlice: 1, lastSlice: 5, sps: 7, pps: 8 } as const;

/** NAL units before the first slice, and bytes of an `avcC`: more than any encoder makes. */
const MAX_UNITS = 64;
const MAX_CONFIGURATION_BYTES = 1 << 15;

/**
 * The init segment that a keyframe needs which brings H.264 parameter sets of its own, as it does when the camera has
 * changed its size: that of before, with these in its `avcC` and the size of the pictures everywhere.
 * Throws nothing.
 * @param fragment moof and mdat; it begins with a keyframe.
 * @returns undefined when it needs no other, or brings no sets, or none that can be read.
 */
export function followParameterSets(init: InitSegment, fragment: Uint8Array): InitSegment | undefined {
  try {
    return follow(init, fragment);
  } catch (error) {
    if (!(error instanceof MediaError)) throw error;
    return undefined;
  }
}

/**
 * Whether every browser plays video of the init segment: H.264 in Baseline, Main or High profile, of 8 bits, 4:2:0.
 * Throws nothing.
 */
export function playsInBrowsers({ bytes, info }: InitSegment): boolean {
  try {
    const entry = findVideoEntry(bytes, info);
    const sets = entry === undefined ? [] : readAvcConfiguration(bytes, entry.avcC).sps.map(readSps);
    return sets.length > 0 && sets.every(isWidelyPlayed);
  } catch (error) {
    if (!(error instanceof MediaError)) throw error;
    return false;
  }
}

/** profile_idc, section A.2. */
const PROFILES = { baseline: 66, main: 77, high: 100 } as const;

const isWidelyPlayed = ({ profile, chromaFormat, bitDepthLuma, bitDepthChroma }: Sps): boolean =>
  Object.values<number>(PROFILES).includes(profile) &&
  chromaFormat === 1 &&
  bitDepthLuma === 8 &&
  bitDepthChroma === 8;

function follow(init: InitSegment, fragment: Uint8Array): InitSegment | undefined {
  const entry = findVideoEntry(init.bytes, init.info);
  const sample = firstVideoSample(fragment, init.info);
  if (entry === undefined || sample === undefined) return undefined;
  const known = readAvcConfiguration(init.bytes, entry.avcC);
  const brought = unitsBeforeSlice(sample, known.lengthSize);
  if (brought === undefined || brought.sets.length === 0) return undefined;
  // One sequence parameter set cannot be left for another that is known.
  if (known.sps.length === 1 && brought.sets.every((set) => isAmong(set, known))) return undefined;
  const { sets, sps } = chosenSets(known, brought);
  const active = readSps(sps);
  const { width, height } = init.info.video;
  const same = sameSets(sets.sps, known.sps) && sameSets(sets.pps, known.pps);
  if (same && active.width === width && active.height === height) return undefined;
  const size = [...sets.sps, ...sets.pps].reduce((sum, set) => sum + set.length, 0);
  if (size > MAX_CONFIGURATION_BYTES)
    throw new MediaError('PARAMETER_SET', `${size} bytes of parameter sets`);
  const configuration = writeAvcConfiguration({ ...sets, lengthSize: known.lengthSize }, active);
  const bytes = withPictures(init.bytes, entry, configuration, active);
  return { bytes, info: parseInit(bytes) };
}

/** The bytes of the first video sample, in place, if it is a sync sample. */
function firstVideoSample(fragment: Uint8Array, info: InitInfo): Uint8Array | undefined {
  const sample = readFragment(fragment, info).tracks.find(({ track }) => track === info.video)?.samples[0];
  return sample?.sync ? fragment.subarray(sample.offset, sample.offset + sample.size) : undefined;
}

interface Brought {
  /** Parameter sets, in place and in their order. */
  readonly sets: readonly Uint8Array[];
  readonly slice: Uint8Array;
}

/** What a sample (ISO/IEC 14496-15 section 5.3.4.2) has up to its first slice; undefined when it has none, or too much. */
function unitsBeforeSlice(sample: Uint8Array, lengthSize: number): Brought | undefined {
  const view = viewOf(sample);
  const sets: Uint8Array[] = [];
  for (let at = 0, count = 0; count < MAX_UNITS && sample.length - at > lengthSize; count++) {
    const start = at + lengthSize;
    const end = start + readLength(view, at, lengthSize);
    if (end === start || end > sample.length) return undefined;
    const type = unitType(sample.subarray(start, end));
    if (type >= NAL.firstSlice && type <= NAL.lastSlice) return { sets, slice: sample.subarray(start, end) };
    if (type === NAL.sps || type === NAL.pps) sets.push(withoutTrailingZeros(sample.subarray(start, end)));
    at = end;
  }
  return undefined;
}

function readLength(view: DataView, at: number, size: number): number {
  if (size === 1) return view.getUint8(at);
  return size === 2 ? view.getUint16(at) : view.getUint32(at);
}

const unitType = (unit: Uint8Array): number => (unit[0] as number) & 0x1f;

/** Some streams pad their NAL units, which end in a byte other than 0 (section 7.4.1). */
function withoutTrailingZeros(unit: Uint8Array): Uint8Array {
  let end = unit.length;
  while (end > 1 && unit[end - 1] === 0) end -= 1;
  return unit.subarray(0, end);
}

const isAmong = (set: Uint8Array, { sps, pps }: AvcConfiguration): boolean =>
  (unitType(set) === NAL.sps ? sps : pps).some((other) => sameSet(set, other));

/** nal_ref_idc, in the first byte, is no part of what a parameter set says. */
function sameSet(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length || unitType(one) !== unitType(other)) return false;
  for (let index = 1; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

const sameSets = (some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean =>
  some.length === others.length && some.every((set, index) => sameSet(set, others[index] as Uint8Array));

type Sets = Pick<AvcConfiguration, 'sps' | 'pps'>;

/**
 * The sets to go by: those brought alone where the keyframe begins with a sequence that they describe, or else
 * those known, each replaced by the one brought with its id. The set that the slice uses is the first.
 * @throws MediaError PARAMETER_SET.
 */
function chosenSets(known: AvcConfiguration, brought: Brought): { sets: Sets; sps: Uint8Array } {
  const alone = byId(brought.sets);
  const own = activeSps(alone, brought.slice);
  const anew = own !== undefined && !isAmong(own, known);
  const all = anew ? alone : byId([...known.sps, ...known.pps, ...brought.sets]);
  const sps = anew ? own : activeSps(all, brought.slice);
  if (sps === undefined) throw new MediaError('PARAMETER_SET', 'slice of a picture that no set describes');
  const sets = {
    sps: [sps, ...[...all.sps.values()].filter((set) => set !== sps)],
    pps: [...all.pps.values()],
  };
  if (sets.sps.length > MAX_SPS || sets.pps.length > MAX_PPS) {
    throw new MediaError('PARAMETER_SET', 'more parameter sets than avcC can hold');
  }
  return { sets, sps };
}

interface SetsById {
  readonly sps: ReadonlyMap<number, Uint8Array>;
  readonly pps: ReadonlyMap<number, Uint8Array>;
}

/** Of sets with one id the last counts. */
function byId(sets: readonly Uint8Array[]): SetsById {
  const [sps, pps] = [new Map<number, Uint8Array>(), new Map<number, Uint8Array>()];
  for (const set of sets) {
    if (unitType(set) === NAL.sps) sps.set(spsId(set), set);
    else pps.set(new BitReader(set, 1).unsigned(255), set);
  }
  return { sps, pps };
}

/** The sequence parameter set that a slice uses, through its picture parameter set: sections 7.3.3 and 7.3.2.2. */
function activeSps({ sps, pps }: SetsById, slice: Uint8Array): Uint8Array | undefined {
  const header = new BitReader(slice, 1);
  header.unsigned();
  header.unsigned();
  const set = pps.get(header.unsigned(255));
  if (set === undefined) return undefined;
  const fields = new BitReader(set, 1);
  fields.unsigned();
  return sps.get(fields.unsigned(31));
}
