import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { NUMBER_BITS, proofOf } from './clips.ts';

/** What is in a film, by ffprobe and ffmpeg. */

const execute = promisify(execFile);
const LIMITS = { maxBuffer: 1 << 28, encoding: 'buffer' } as const;

export interface FilmTrack {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  /** As it is to be turned when it is shown, degrees. */
  readonly rotation: number;
  /** When each frame is shown, seconds from the film's beginning, ascending. */
  readonly times: readonly number[];
  /** End of the last frame, seconds. */
  readonly end: number;
}

/** @param torn faults that ffprobe finds are passed over. @throws when it finds any. */
export async function probeTrack(
  path: string,
  kind: 'v' | 'a',
  torn = false,
): Promise<FilmTrack | undefined> {
  const entries = 'format=start_time:stream=codec_name,width,height:stream_side_data=rotation';
  const args = ['-v', 'error', '-select_streams', `${kind}:0`, '-of', 'json', '-show_frames'];
  const { stdout, stderr } = await execute(
    'ffprobe',
    [...args, '-show_entries', `${entries}:frame=pts_time,pkt_duration_time,duration_time`, path],
    LIMITS,
  );
  if (stderr.length > 0 && !torn) throw new Error(`${path}: ${stderr.toString('utf8', 0, 500)}`);
  const { streams, frames, format } = JSON.parse(stdout.toString()) as Probed;
  const [stream] = streams;
  if (stream === undefined) return undefined;
  const start = Number(format.start_time ?? 0);
  const times = frames.map(({ pts_time }) => Number(pts_time) - start).sort((a, b) => a - b);
  const last = frames.at(-1);
  return {
    codec: stream.codec_name,
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    rotation: stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation ?? 0,
    times,
    end: (times.at(-1) ?? 0) + Number(last?.duration_time ?? last?.pkt_duration_time ?? 0),
  };
}

interface Probed {
  readonly format: { readonly start_time?: string };
  readonly streams: readonly {
    readonly codec_name: string;
    readonly width?: number;
    readonly height?: number;
    readonly side_data_list?: readonly { readonly rotation?: number }[];
  }[];
  readonly frames: readonly {
    readonly pts_time: string;
    readonly duration_time?: string;
    readonly pkt_duration_time?: string;
  }[];
}

const SMALL = { width: 160, height: 90 };
const LIT = 160;

/** More is no film of ours. */
const MOST_PICTURES = 50_000;

/**
 * Looks at each picture of a film, in grey, 160x90, in the order they are shown. @param look gets each; it is used anew then.
 * @throws when there are more than can be.
 */
export async function lookAtPictures<T>(path: string, look: (picture: Uint8Array) => T): Promise<T[]> {
  const scale = `scale=${SMALL.width}:${SMALL.height}:flags=area,format=gray`;
  const child = spawn(
    'ffmpeg',
    [
      ...['-v', 'error', '-nostdin', '-noautorotate', '-i', path, '-map', '0:v:0', '-vf', scale],
      ...['-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1'],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const size = SMALL.width * SMALL.height;
  const seen: T[] = [];
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let at = 0;
    for (; at + size <= bytes.length; at += size) seen.push(look(bytes.subarray(at, at + size)));
    rest = bytes.subarray(at);
    if (seen.length > MOST_PICTURES) {
      child.kill('SIGKILL');
      throw new Error(`${path} has more than ${MOST_PICTURES} pictures`);
    }
  }
  return seen;
}

/** The number painted on a picture: bits in rows of bars along its lower edge (clips.ts). Undefined on a smeared one. */
export function numberOn(picture: Uint8Array): number | undefined {
  const number = bitsIn(picture, 83);
  return bitsIn(picture, 73) === proofOf(number) ? number : undefined;
}

/** What a row of bars shows. @param top of their middle part. */
function bitsIn(picture: Uint8Array, top: number): number {
  const bar = SMALL.width / NUMBER_BITS;
  let number = 0;
  for (let bit = 0; bit < NUMBER_BITS; bit++) {
    const middle = Math.round((bit + 0.5) * bar);
    if (brightness(picture, top, middle) > 128) number += 2 ** bit;
  }
  return number;
}

/** Of a bar around its middle, away from its edges. */
function brightness(picture: Uint8Array, top: number, middle: number): number {
  let [sum, count] = [0, 0];
  for (let y = top; y < top + 5; y++) {
    for (let x = middle - 4; x < middle + 4; x++) {
      sum += picture[y * SMALL.width + x] ?? 0;
      count += 1;
    }
  }
  return sum / count;
}

/** When the first picture is shown that is lit all over, seconds; undefined if none is. */
export async function flashAt(path: string, times: readonly number[]): Promise<number | undefined> {
  const brightness = await lookAtPictures(
    path,
    (picture) => picture.reduce((sum, value) => sum + value, 0) / picture.length,
  );
  const index = brightness.findIndex((each) => each > LIT);
  return index === -1 ? undefined : times[index];
}

const SOUND_HZ = 8000;
const LOUD = 0.2 * 32768;

/** When the first loud sample is heard, seconds from the film's beginning; undefined if none is. */
export async function beepAt(path: string): Promise<number | undefined> {
  const { stdout } = await execute(
    'ffmpeg',
    [
      ...['-v', 'error', '-nostdin', '-i', path, '-map', '0:a:0', '-ac', '1', '-ar', `${SOUND_HZ}`],
      ...['-af', 'aresample=async=1:first_pts=0', '-f', 's16le', 'pipe:1'],
    ],
    LIMITS,
  );
  for (let at = 0; at + 1 < stdout.length; at += 2) {
    if (Math.abs(stdout.readInt16LE(at)) > LOUD) return at / 2 / SOUND_HZ;
  }
  return undefined;
}
