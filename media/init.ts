import { type Box, childrenOf, FieldReader, onlyBox, onlyBoxAt, readBoxes } from './boxes.ts';
import { sampleEntryCodec } from './codec.ts';
import { MediaError } from './errors.ts';

export type TrackKind = 'video' | 'audio' | 'other';

/** By how many degrees, clockwise, a player turns the pictures. */
export type Rotation = 0 | 90 | 180 | 270;

/** What a trak, with its trex, says about one track. Durations are ticks of `timescale`, per second. */
export interface TrackInfo {
  readonly id: number;
  readonly kind: TrackKind;
  readonly timescale: number;
  /** RFC 6381 section 3.3: `avc1.64001f`, `mp4a.40.2`; the bare sample entry type for what is not known here. */
  readonly codec: string;
  /** Pixels as coded; 0 for what is not video. */
  readonly width: number;
  readonly height: number;
  /** Width to height of one pixel, before it is turned. */
  readonly pixelAspect: number;
  /** 0 for what is not video. */
  readonly rotation: Rotation;
  readonly defaultSampleDuration: number;
  readonly defaultSampleSize: number;
  readonly defaultSampleFlags: number;
}

/** What an init segment says. */
export interface InitInfo {
  readonly tracks: readonly TrackInfo[];
  /** The one video track, which is also in `tracks`. */
  readonly video: TrackInfo;
}

/**
 * Reads an init segment: ftyp and moov (ISO/IEC 14496-12, sections 4.3 and 8.2.1), boxes between them passed over.
 * Throws MediaError.
 */
export function parseInit(bytes: Uint8Array): InitInfo {
  const boxes = [...readBoxes(bytes)];
  onlyBox(boxes, 'ftyp');
  const moov = childrenOf(bytes, onlyBox(boxes, 'moov'));
  const trexes = readTrexes(bytes, onlyBox(moov, 'mvex'));
  const tracks = moov.filter(({ type }) => type === 'trak').map((trak) => readTrak(bytes, trak, trexes));
  if (new Set(tracks.map(({ id }) => id)).size !== tracks.length) {
    throw new MediaError('TRACK_ID', 'two tracks with one id');
  }
  const [video, second] = tracks.filter(({ kind }) => kind === 'video');
  if (!video || second) throw new MediaError('TRACK_VIDEO', 'not exactly one video track');
  return { tracks, video };
}

type Defaults = Pick<TrackInfo, 'defaultSampleDuration' | 'defaultSampleSize' | 'defaultSampleFlags'>;

/** trex, section 8.8.3, by track id. */
function readTrexes(bytes: Uint8Array, mvex: Box): Map<number, Defaults> {
  const trexes = new Map<number, Defaults>();
  for (const box of childrenOf(bytes, mvex)) {
    if (box.type !== 'trex') continue;
    const fields = new FieldReader(bytes, box);
    fields.versionAndFlags();
    const id = fields.u32();
    if (trexes.has(id)) throw new MediaError('BOX_REPEATED', 'two trex for one track');
    fields.skip(4);
    trexes.set(id, {
      defaultSampleDuration: fields.u32(),
      defaultSampleSize: fields.u32(),
      defaultSampleFlags: fields.u32(),
    });
  }
  return trexes;
}

/** trak, section 8.3.1. */
function readTrak(bytes: Uint8Array, trak: Box, trexes: ReadonlyMap<number, Defaults>): TrackInfo {
  const { id, rotation, shown } = readTkhd(bytes, onlyBoxAt(bytes, trak, 'tkhd'));
  const defaults = trexes.get(id);
  if (id === 0) throw new MediaError('TRACK_ID', 'track id 0');
  if (!defaults) throw new MediaError('BOX_MISSING', 'track without trex');
  const mdia = onlyBoxAt(bytes, trak, 'mdia');
  const kind = readKind(bytes, onlyBoxAt(bytes, mdia, 'hdlr'));
  const entry = readSampleEntry(bytes, onlyBoxAt(bytes, mdia, 'minf', 'stbl', 'stsd'));
  return {
    id,
    kind,
    timescale: readTimescale(bytes, onlyBoxAt(bytes, mdia, 'mdhd')),
    codec: sampleEntryCodec(bytes, entry),
    ...(kind === 'video' ? { ...readDimensions(bytes, entry, shown), rotation } : NO_PICTURE),
    ...defaults,
  };
}

const NO_PICTURE = { width: 0, height: 0, pixelAspect: 1, rotation: 0 } as const;

interface Tkhd {
  readonly id: number;
  readonly rotation: Rotation;
  /** Size of the pictures in square pixels, before they are turned; 0 where a short tkhd has none. */
  readonly shown: { readonly width: number; readonly height: number };
}

/** tkhd, section 8.3.2. */
function readTkhd(bytes: Uint8Array, tkhd: Box): Tkhd {
  const fields = new FieldReader(bytes, tkhd);
  const wide = fields.versionAndFlags().version === 1;
  fields.skip(wide ? 16 : 8);
  const id = fields.u32();
  const before = (wide ? 12 : 8) + 16;
  if (fields.remaining < before + MATRIX + 8) return { id, rotation: 0, shown: { width: 0, height: 0 } };
  fields.skip(before);
  const rotation = readRotation(fields);
  return { id, rotation, shown: { width: fields.u32(), height: fields.u32() } };
}

/** Bytes of nine values. */
const MATRIX = 36;

/** The matrix { a, b, u, c, d, v, x, y, w } of section 6.2.2 that turns by so many degrees: of it a, b, c, d, in 16.16. */
const TURNS: Readonly<Record<string, Rotation>> = {
  '0,1,-1,0': 90,
  '-1,0,0,-1': 180,
  '0,-1,1,0': 270,
};

/** 0 for any other matrix. */
function readRotation(fields: FieldReader): Rotation {
  const values = Array.from({ length: MATRIX / 4 }, () => fields.i32() / 0x1_0000);
  const turn = [0, 1, 3, 4].map((index) => values[index]);
  return TURNS[turn.join()] ?? 0;
}

/** mdhd, section 8.4.2. */
function readTimescale(bytes: Uint8Array, mdhd: Box): number {
  const fields = new FieldReader(bytes, mdhd);
  fields.skip(fields.versionAndFlags().version === 1 ? 16 : 8);
  const timescale = fields.u32();
  if (timescale === 0) throw new MediaError('TIMESCALE_ZERO', 'timescale 0');
  return timescale;
}

const KINDS: Readonly<Record<string, TrackKind>> = { vide: 'video', soun: 'audio' };

/** hdlr, section 8.4.3. */
function readKind(bytes: Uint8Array, hdlr: Box): TrackKind {
  const fields = new FieldReader(bytes, hdlr);
  fields.skip(8);
  return KINDS[fields.fourcc()] ?? 'other';
}

/** The one sample entry of stsd, section 8.5.2; fragments then need no sample description index. */
function readSampleEntry(bytes: Uint8Array, stsd: Box): Box {
  const fields = new FieldReader(bytes, stsd);
  fields.skip(8);
  const [entry, second] = readBoxes(bytes, fields.position, stsd.end);
  if (!entry || second) throw new MediaError('SAMPLE_ENTRY', 'not exactly one sample entry');
  return entry;
}

/** Further from square no camera's pixels are: table E-1 of ITU-T H.264 has 80:33 at most. */
const MOST_ASPECT = 4;

/** VisualSampleEntry, section 12.1.3: 24 bytes stand before the dimensions. */
function readDimensions(bytes: Uint8Array, entry: Box, shown: Tkhd['shown']) {
  const fields = new FieldReader(bytes, entry);
  fields.skip(24);
  const [width, height] = [fields.u16(), fields.u16()];
  const aspect = (shown.width * height) / (shown.height * width);
  return { width, height, pixelAspect: aspect >= 1 / MOST_ASPECT && aspect <= MOST_ASPECT ? aspect : 1 };
}
