import type { Made } from './corpus.ts';

/** What network cameras play: pictures with their numbers on them, of which an opened film shows when each was filmed. */

/** Bits of the number, each a bar along the lower edge: bright for 1, the lowest bit on the left. */
export const NUMBER_BITS = 11;

/** What the upper row of bars shows: a number that follows from the lower one, so that a smeared picture is known as one. */
export const proofOf = (number: number) => (number * PROOF) % 2 ** NUMBER_BITS;
const PROOF = 733;

/** A number on each picture, from 0, and above it its proof (geq of ffmpeg-filters(1)). */
const bars = (number: string) => `if(mod(floor(${number}/pow(2,floor(X*${NUMBER_BITS}/W))),2),235,16)`;
const NUMBERED = [
  `geq=lum='if(gte(Y,H*8/9),${bars('N')},if(gte(Y,H*7/9),${bars(`mod(N*${PROOF},${2 ** NUMBER_BITS})`)},lum(X,Y)))'`,
  "cb='cb(X,Y)'",
  "cr='cr(X,Y)'",
].join(':');

export interface NumberedClip extends Made {
  readonly fps: number;
  readonly frames: number;
}

interface ClipOptions {
  readonly file: string;
  readonly fps?: number;
  readonly seconds: number;
  readonly size?: string;
  /** Seconds between keyframes. */
  readonly gop?: number;
  readonly encoder?: readonly string[];
}

/** A clip without B-frames, of at most 2^NUMBER_BITS frames. */
export function numberedClip({
  file,
  fps = 25,
  seconds,
  size = '160x90',
  gop = 2,
  encoder,
}: ClipOptions): NumberedClip {
  const codec = encoder ?? [
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-sc_threshold', '0', '-g', String(gop * fps)],
  ];
  const input = `testsrc2=size=${size}:rate=${fps},${NUMBERED}`;
  const args = ['-f', 'lavfi', '-i', input, '-t', String(seconds), ...codec, '-pix_fmt', 'yuv420p', file];
  return { file, make: [args], fps, frames: fps * seconds };
}

export const BASE = numberedClip({ file: 'base.h264', seconds: 20 });
export const OTHER_SIZE = numberedClip({ file: 'other-size.h264', seconds: 20, size: '320x180' });
export const SLOW_RATE = numberedClip({ file: 'slow-rate.h264', seconds: 40, fps: 5 });
export const GOP_15 = numberedClip({ file: 'gop15.h264', seconds: 30, gop: 15 });
export const GOP_60 = numberedClip({ file: 'gop60.h264', seconds: 60, fps: 10, gop: 60 });
export const REFRESH = numberedClip({
  file: 'refresh.h264',
  seconds: 20,
  encoder: [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-bf',
    '0',
    '-x264-params',
    'intra-refresh=1:keyint=50:scenecut=0',
  ],
});
export const HEVC = numberedClip({
  file: 'base.hevc',
  seconds: 20,
  encoder: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:keyint=50:bframes=0'],
});
