import type { Right } from './recording.ts';

/** The pictures and sounds that recordings are made of, as ffmpeg's arguments; and what is right of them. */

const SIZE = '160x90';
const IN_STEP = 0.02;
/** Of flash and beep. */
const SIGNAL = { from: 2, to: 2.3 };
/** ffmpeg makes test pictures in this order of frame numbers; a flash is a hair before its frame, to be sure of it. */
const FLASH = `drawbox=color=white:t=fill:enable='between(t,${SIGNAL.from - 0.01},${SIGNAL.to})'`;
const BEEP = `aevalsrc='if(between(t,${SIGNAL.from},${SIGNAL.to}),0.8*sin(2*PI*1000*t),0)':s=48000`;

export const pattern = (rate: number | string, size: string = SIZE) => [
  ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate},${FLASH}`],
];
export const beep = (...before: readonly string[]) => [...before, '-f', 'lavfi', '-i', BEEP];
export const seconds = (length: number) => ['-t', String(length)];
/** Without B-frames. */
export const x264 = (gop: number) => [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-sc_threshold', '0', '-pix_fmt', 'yuv420p'],
  ...['-g', String(gop)],
];
export const withB = (gop: number) => [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '3', '-b_strategy', '0', '-sc_threshold', '0'],
  ...['-pix_fmt', 'yuv420p', '-g', String(gop)],
];
export const aac = ['-c:a', 'aac'];

/** Frames at one rate. */
export const steady = (count: number, rate: number) => ({
  times: Array.from({ length: count }, (_, index) => index / rate),
  end: count / rate,
});
export const plain = (
  count: number,
  rate: number,
  mode: Right['mode'],
  size: readonly [number, number] = [160, 90],
) => ({
  ...steady(count, rate),
  mode,
  sizes: [size],
});
export const inStep = (length?: number, apart = IN_STEP) => ({
  sound: { apart, ...(length !== undefined && { seconds: length }) },
});
