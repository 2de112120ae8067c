import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type VideoCodec = 'h264' | 'hevc';

/** The NAL units of one picture, in decoding order, each without its start code. */
export type AccessUnit = readonly Uint8Array[];

/** A clip as a network camera sends it: H.264 or H.265 without B-frames. */
export interface Clip {
  readonly codec: VideoCodec;
  readonly units: readonly AccessUnit[];
}

/** What a NAL unit is for its access unit (ITU-T H.264 section 7.4.1.2.3, H.265 section 7.4.2.4.4). */
interface NalKind {
  readonly type: number;
  readonly picture: boolean;
  /** Of a picture: its first slice. */
  readonly first: boolean;
  /** Stands before the first slice of its access unit. */
  readonly before: boolean;
}

const H264 = { sps: 7, pps: 8, before: [6, 7, 8, 9] };
const HEVC_BEFORE = [32, 33, 34, 35, 39];

/** Reads a clip: a bitstream in Annex B form by its ending, anything else through ffmpeg, copied. */
export function readClip(path: string, codec: VideoCodec): Clip {
  const bytes = /\.(h264|hevc)$/.test(path)
    ? readFileSync(path)
    : execFileSync(
        'ffmpeg',
        ['-v', 'error', '-nostdin', '-i', path, '-map', '0:v:0', '-c', 'copy', '-f', codec, 'pipe:1'],
        { maxBuffer: 1 << 28 },
      );
  return { codec, units: accessUnits(bytes, codec) };
}

/** The NAL units of a byte stream (ITU-T H.264 annex B). */
export function nalUnits(bytes: Uint8Array): Uint8Array[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const units: Uint8Array[] = [];
  const startCode = Buffer.from([0, 0, 1]);
  for (let at = buffer.indexOf(startCode); at !== -1; ) {
    const next = buffer.indexOf(startCode, at + 3);
    let end = next === -1 ? buffer.length : next;
    // Zeros before a start code belong to it; a NAL unit ends with a bit that is set.
    while (end > at + 3 && buffer[end - 1] === 0) end -= 1;
    units.push(buffer.subarray(at + 3, end));
    at = next;
  }
  return units;
}

/** A byte stream's access units. */
export function accessUnits(bytes: Uint8Array, codec: VideoCodec): AccessUnit[] {
  const units: AccessUnit[] = [];
  let unit: Uint8Array[] = [];
  let hasPicture = false;
  for (const nal of nalUnits(bytes)) {
    const { picture, first, before } = kindOf(nal, codec);
    if (hasPicture && (before || first)) {
      units.push(unit);
      unit = [];
      hasPicture = false;
    }
    unit.push(nal);
    hasPicture ||= picture;
  }
  if (unit.length > 0) units.push(unit);
  return units;
}

/** The H.264 parameter sets of a clip, undefined where it has none. */
export function parameterSets({ codec, units }: Clip) {
  if (codec !== 'h264') return undefined;
  const all = units.flat();
  const sps = all.find((nal) => kindOf(nal, codec).type === H264.sps);
  const pps = all.find((nal) => kindOf(nal, codec).type === H264.pps);
  return sps && pps && { sps, pps };
}

function kindOf(nal: Uint8Array, codec: VideoCodec): NalKind {
  const [head = 0, second = 0, third = 0] = nal;
  if (codec === 'h264') {
    const type = head & 31;
    const picture = type === 1 || type === 5;
    return { type, picture, first: picture && (second & 0x80) !== 0, before: H264.before.includes(type) };
  }
  const type = (head >> 1) & 63;
  const picture = type < 32;
  return { type, picture, first: picture && (third & 0x80) !== 0, before: HEVC_BEFORE.includes(type) };
}
