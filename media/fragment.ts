import { type Box, childrenOf, FieldReader, onlyBox, readBoxes } from './boxes.ts';
import { MediaError } from './errors.ts';
import type { InitInfo, TrackInfo } from './init.ts';

/** Samples of all tracks. No camera writes more into one fragment: 8 s of 8 kHz PCM are 64,000. */
const MAX_SAMPLES = 65_536;
/** A run of no samples costs memory too. */
const MAX_RUNS = 1024;

/** sample_flags, ISO/IEC 14496-12 section 8.8.3.1. */
const SAMPLE_IS_NON_SYNC = 0x1_0000;

/** One sample. Times are ticks of its track, offsets count from the start of the fragment. */
export interface Sample {
  readonly offset: number;
  readonly size: number;
  readonly duration: number;
  readonly compositionOffset: number;
  readonly sync: boolean;
}

/** What one traf holds. `decodeTime` is its tfdt, of which `tfdtBody` is the place in the fragment. */
export interface TrackFragment {
  readonly track: TrackInfo;
  readonly decodeTime: number;
  readonly tfdtBody: number;
  readonly samples: readonly Sample[];
}

/** The boxes of a media segment: moof (section 8.8.4) and mdat (8.1.1), nothing else. */
export interface FragmentBoxes {
  readonly sequenceNumberAt: number;
  readonly tracks: readonly TrackFragment[];
}

/** A fragment as its video track sees it; ticks are of the video timescale. */
export interface FragmentInfo {
  /** The first video sample is a sync sample: decoding can begin here. */
  readonly keyframe: boolean;
  readonly decodeTime: number;
  readonly decodeTimeUs: number;
  readonly duration: number;
  readonly durationUs: number;
  /** Video samples. */
  readonly samples: number;
}

/**
 * Sums up one fragment (moof and mdat). One without video samples is no keyframe, lasts 0,
 * and has the decode time of its first track.
 * Throws MediaError.
 */
export function parseFragment(bytes: Uint8Array, init: InitInfo): FragmentInfo {
  const { tracks } = readFragment(bytes, init);
  const video = tracks.find(({ track, samples }) => track === init.video && samples.length > 0);
  const timed = video ?? (tracks[0] as TrackFragment);
  const seconds = timed.decodeTime / timed.track.timescale;
  const duration = video ? video.samples.reduce((sum, sample) => sum + sample.duration, 0) : 0;
  return {
    keyframe: video?.samples[0]?.sync ?? false,
    decodeTime: video ? video.decodeTime : Math.round(seconds * init.video.timescale),
    decodeTimeUs: Math.round(seconds * 1e6),
    duration,
    durationUs: Math.round((duration / init.video.timescale) * 1e6),
    samples: video?.samples.length ?? 0,
  };
}

/** Reads every sample of every track of a fragment, at least one track. Throws MediaError. */
export function readFragment(bytes: Uint8Array, init: InitInfo): FragmentBoxes {
  const [moof, mdat, more] = readBoxes(bytes);
  if (moof?.type !== 'moof' || more) throw new MediaError('BOX_ORDER', 'a fragment is moof and mdat');
  if (mdat?.type !== 'mdat') throw new MediaError('MDAT_MISSING', 'moof without mdat');
  const children = childrenOf(bytes, moof);
  const mfhd = new FieldReader(bytes, onlyBox(children, 'mfhd'));
  mfhd.versionAndFlags();
  const sequenceNumberAt = mfhd.skip(4);
  const budget = { samples: MAX_SAMPLES, runs: MAX_RUNS, bytes: mdat.end - mdat.body };
  const tracks = children
    .filter(({ type }) => type === 'traf')
    .map((traf) => readTraf(bytes, traf, { init, moof, mdat, budget }));
  if (tracks.length === 0) throw new MediaError('BOX_MISSING', 'no traf');
  if (new Set(tracks.map(({ track }) => track)).size !== tracks.length) {
    throw new MediaError('TRACK_ID', 'two traf of one track');
  }
  return { sequenceNumberAt, tracks };
}

/** What the fragment's runs may still take: a few bytes of moof must not become gigabytes of samples. */
interface Budget {
  samples: number;
  runs: number;
  /** Of the mdat. Every sample takes at least one, so that samples cost the fragment length. */
  bytes: number;
}

interface FragmentContext {
  readonly init: InitInfo;
  readonly moof: Box;
  readonly mdat: Box;
  readonly budget: Budget;
}

/** traf, section 8.8.6. */
function readTraf(bytes: Uint8Array, traf: Box, context: FragmentContext): TrackFragment {
  const { init, moof, mdat, budget } = context;
  const children = childrenOf(bytes, traf);
  const { track, defaults } = readTfhd(bytes, onlyBox(children, 'tfhd'), init);
  const tfdt = onlyBox(children, 'tfdt');
  const samples: Sample[] = [];
  let next: number | undefined;
  for (const trun of children.filter(({ type }) => type === 'trun')) {
    next = readTrun(bytes, trun, { defaults, moof, mdat, budget, next }, samples);
  }
  return { track, decodeTime: readTfdt(bytes, tfdt), tfdtBody: tfdt.body, samples };
}

interface SampleDefaults {
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
}

/** tfhd, section 8.8.7; what it leaves out comes from trex. */
function readTfhd(
  bytes: Uint8Array,
  tfhd: Box,
  init: InitInfo,
): { track: TrackInfo; defaults: SampleDefaults } {
  const fields = new FieldReader(bytes, tfhd);
  const { flags } = fields.versionAndFlags();
  if (flags & 0x1 || !(flags & 0x2_0000)) {
    throw new MediaError('BASE_NOT_MOOF', 'sample data is not addressed from the moof');
  }
  const id = fields.u32();
  const track = init.tracks.find((candidate) => candidate.id === id);
  if (!track) throw new MediaError('TRACK_ID', 'traf of a track that the init segment lacks');
  if (flags & 0x2) fields.skip(4);
  const duration = flags & 0x8 ? fields.u32() : track.defaultSampleDuration;
  const size = flags & 0x10 ? fields.u32() : track.defaultSampleSize;
  return {
    track,
    defaults: { duration, size, flags: flags & 0x20 ? fields.u32() : track.defaultSampleFlags },
  };
}

/** tfdt, section 8.8.12. */
function readTfdt(bytes: Uint8Array, tfdt: Box): number {
  const fields = new FieldReader(bytes, tfdt);
  return fields.versionAndFlags().version === 1 ? fields.u64() : fields.u32();
}

interface RunContext {
  readonly defaults: SampleDefaults;
  readonly moof: Box;
  readonly mdat: Box;
  readonly budget: Budget;
  /** End of the run before, where a run without a data offset goes on. */
  readonly next: number | undefined;
}

/** The optional fields of each sample, by their tr_flags. */
const SAMPLE_FIELDS = { duration: 0x100, size: 0x200, flags: 0x400, compositionOffset: 0x800 } as const;

/** trun, section 8.8.8: appends its samples and answers where their data ends. */
function readTrun(
  bytes: Uint8Array,
  trun: Box,
  { defaults, moof, mdat, budget, next }: RunContext,
  into: Sample[],
): number {
  const fields = new FieldReader(bytes, trun);
  const { version, flags } = fields.versionAndFlags();
  const count = fields.u32();
  let offset = flags & 0x1 ? moof.start + fields.i32() : next;
  if (offset === undefined || offset < mdat.body) {
    throw new MediaError('SAMPLE_RANGE', 'sample data before the mdat');
  }
  let firstFlags = flags & 0x4 ? fields.u32() : undefined;
  const perSample = Object.values(SAMPLE_FIELDS).filter((bit) => flags & bit).length * 4;
  budget.samples -= count;
  budget.runs -= 1;
  if (budget.samples < 0 || budget.runs < 0) {
    throw new MediaError('SAMPLE_COUNT', 'more samples or runs in a fragment than anyone records');
  }
  if (count * perSample !== fields.remaining) {
    throw new MediaError('SAMPLE_COUNT', `trun of ${fields.remaining} bytes for ${count} samples`);
  }
  for (let index = 0; index < count; index++) {
    const sample = readSample(fields, flags, version, defaults);
    budget.bytes -= Math.max(sample.size, 1);
    if (budget.bytes < 0 || sample.size > mdat.end - offset) {
      throw new MediaError('SAMPLE_RANGE', 'samples of more data than the mdat has');
    }
    const { size, duration, compositionOffset } = sample;
    const sync = !((firstFlags ?? sample.flags) & SAMPLE_IS_NON_SYNC);
    into.push({ offset, size, duration, compositionOffset, sync });
    firstFlags = undefined;
    offset += size;
  }
  return offset;
}

/** One entry of trun; composition offsets are signed from version 1. */
function readSample(fields: FieldReader, present: number, version: number, defaults: SampleDefaults) {
  const duration = present & SAMPLE_FIELDS.duration ? fields.u32() : defaults.duration;
  const size = present & SAMPLE_FIELDS.size ? fields.u32() : defaults.size;
  const flags = present & SAMPLE_FIELDS.flags ? fields.u32() : defaults.flags;
  if (!(present & SAMPLE_FIELDS.compositionOffset)) return { duration, size, flags, compositionOffset: 0 };
  return { duration, size, flags, compositionOffset: version === 0 ? fields.u32() : fields.i32() };
}
