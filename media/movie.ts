import { type Box, childrenOf, FieldReader, onlyBox, onlyBoxAt, readBoxes, viewOf } from './boxes.ts';
import type { InitInfo } from './init.ts';
import type { SampleTable } from './samples.ts';
import { box, fullBox, u32s, u64s } from './writer.ts';

/** All ones: a duration that its field cannot hold (ISO/IEC 14496-12 section 8.2.2.3). */
const UNKNOWN_DURATION = 0xffff_ffff;

/**
 * The moov (section 8.2.1) of an ordinary MP4: that of the init segment, with the sample tables filled,
 * the durations set and mvex left out. An edit list of the init segment gives way to one that delays a track
 * which begins after 0.
 */
export function movieBox(
  init: Uint8Array,
  info: InitInfo,
  tables: ReadonlyMap<number, SampleTable>,
): Uint8Array {
  const children = childrenOf(init, onlyBox([...readBoxes(init)], 'moov'));
  const mvhd = onlyBox(children, 'mvhd');
  const timescale = movieTimescale(init, mvhd);
  const traks = children.filter(({ type }) => type === 'trak');
  const tracks = info.tracks.map((track, index) => {
    const toMovie = (ticks: number) => Math.round((ticks / track.timescale) * timescale);
    return { trak: traks[index] as Box, table: tables.get(track.id) as SampleTable, toMovie };
  });
  return box(
    'moov',
    withDuration(init, mvhd, Math.max(...tracks.map(({ table, toMovie }) => toMovie(table.end)))),
    ...tracks.map((track) => trackBox(init, track)),
    ...children
      .filter(({ type }) => !['mvhd', 'trak', 'mvex'].includes(type))
      .map((other) => copy(init, other)),
  );
}

const copy = (bytes: Uint8Array, { start, end }: Box): Uint8Array => bytes.subarray(start, end);

/** mvhd, section 8.2.2. */
export function movieTimescale(init: Uint8Array, mvhd: Box): number {
  const fields = new FieldReader(init, mvhd);
  fields.skip(fields.versionAndFlags().version === 1 ? 16 : 8);
  return fields.u32();
}

/** A mvhd or tkhd (section 8.3.2) with another duration, which in both follows two times and 32 or 64 bits. */
function withDuration(init: Uint8Array, header: Box, duration: number): Uint8Array {
  const fields = new FieldReader(init, header);
  const { version } = fields.versionAndFlags();
  fields.skip((version === 1 ? 16 : 8) + (header.type === 'tkhd' ? 8 : 4));
  const at = fields.skip(version === 1 ? 8 : 4) - header.start;
  const bytes = copy(init, header).slice();
  if (version === 1) viewOf(bytes).setBigUint64(at, BigInt(duration));
  else viewOf(bytes).setUint32(at, Math.min(duration, UNKNOWN_DURATION));
  return bytes;
}

interface Track {
  readonly trak: Box;
  readonly table: SampleTable;
  /** From ticks of the track to those of the movie. */
  readonly toMovie: (ticks: number) => number;
}

/** trak, section 8.3.1. */
function trackBox(init: Uint8Array, { trak, table, toMovie }: Track): Uint8Array {
  const children = childrenOf(init, trak);
  const mdia = onlyBox(children, 'mdia');
  return box(
    'trak',
    withDuration(init, onlyBox(children, 'tkhd'), toMovie(table.end)),
    ...(table.start > 0 ? [delay(table, toMovie)] : []),
    ...children
      .filter(({ type }) => !['tkhd', 'edts', 'mdia'].includes(type))
      .map((other) => copy(init, other)),
    mediaBox(init, mdia, table),
  );
}

/**
 * An edit list (section 8.6.6): nothing until the first sample is shown, then all from there.
 * The edit begins at that sample, because ffmpeg's demuxer complains of one that begins before any sample.
 */
function delay(table: SampleTable, toMovie: (ticks: number) => number): Uint8Array {
  const offset = Math.max(0, table.firstCompositionOffset);
  const rateOne = u32s([0x1_0000]);
  const empty = u64s([toMovie(table.start + offset), -1]);
  const whole = u64s([toMovie(table.end - table.start), offset]);
  return box('edts', fullBox('elst', 1, 0, u32s([2]), empty, rateOne, whole, rateOne));
}

/** mdia, section 8.4.1. */
function mediaBox(init: Uint8Array, mdia: Box, table: SampleTable): Uint8Array {
  const children = childrenOf(init, mdia);
  const minf = onlyBox(children, 'minf');
  const stsd = onlyBoxAt(init, minf, 'stbl', 'stsd');
  return box(
    'mdia',
    mediaHeader(init, onlyBox(children, 'mdhd'), table.end - table.start),
    ...children.filter(({ type }) => !['mdhd', 'minf'].includes(type)).map((other) => copy(init, other)),
    box(
      'minf',
      ...childrenOf(init, minf)
        .filter(({ type }) => type !== 'stbl')
        .map((other) => copy(init, other)),
      table.toBox(copy(init, stsd)),
    ),
  );
}

/** mdhd, section 8.4.2, in version 1: 32 bits at 90 kHz end after 13 hours. */
function mediaHeader(init: Uint8Array, mdhd: Box, duration: number): Uint8Array {
  const fields = new FieldReader(init, mdhd);
  const time = fields.versionAndFlags().version === 1 ? () => fields.u64() : () => fields.u32();
  const [creation, modification] = [time(), time()];
  const timescale = fields.u32();
  time();
  const language = copy(init, mdhd).subarray(fields.skip(4) - mdhd.start);
  return fullBox('mdhd', 1, 0, u64s([creation, modification]), u32s([timescale]), u64s([duration]), language);
}
