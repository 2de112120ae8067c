import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ffmpegRunner } from '../../agent/capture/ffmpeg-runner.ts';
import { FileSource } from '../../agent/capture/sources/file.ts';

/** How long a video file is, by what ffprobe reads of it. */
export interface InputLength {
  /** From its first keyframe, with which a recording begins, to the end of its last frame. */
  readonly seconds: number;
  /** Of these, what an edit list hides: a recording may keep it. */
  readonly hiddenSeconds: number;
  /** How long the last frame is shown, no container says. */
  readonly lastFrameSeconds: number;
}

const execute = promisify(execFile);
const MOST_BYTES = 1 << 28;
/** MPEG-TS may jump from one packet to the next; what is longer is no pause (`-dts_delta_threshold` of ffmpeg(1)). */
const JUMP_SECONDS = 10;
/** What sound that begins before the pictures, and rounding, make of a length. */
const APART_SECONDS = 0.25;

/** Of the stream that capture chooses. @throws CaptureError of capture's probe; Error of ffprobe. */
export async function inputLength(path: string): Promise<InputLength> {
  const source = new FileSource({ path, loop: false });
  const { video } = await source.probe(ffmpegRunner(new AbortController().signal));
  const entries = 'format=format_name:stream=avg_frame_rate:packet=dts_time,pts_time,flags';
  const args = [
    '-v',
    'error',
    '-select_streams',
    `v:${video}`,
    '-show_entries',
    entries,
    '-of',
    'compact',
    path,
  ];
  const { stdout } = await execute('ffprobe', args, { maxBuffer: MOST_BYTES });
  return lengthOf(stdout);
}

/** Of ffprobe's `compact` output. */
export function lengthOf(probed: string): InputLength {
  const [, format = ''] = /^format\|.*?format_name=([^|\n]*)/m.exec(probed) ?? [];
  const [, frames, per] = /^stream\|.*?avg_frame_rate=(\d+)\/(\d+)/m.exec(probed) ?? [];
  const usual = Number(frames) > 0 ? Number(per) / Number(frames) : 0;
  const packets = probed.split('\n').filter((line) => line.startsWith('packet|'));
  const firstKeyframe = packets.findIndex((packet) => /flags=K/.test(packet));
  let [seconds, hiddenSeconds, last] = [0, 0, usual];
  let before: number | undefined;
  for (const packet of firstKeyframe === -1 ? [] : packets.slice(firstKeyframe)) {
    const time = timeOf(packet);
    if (before !== undefined) last = distance(before, time, usual, format);
    seconds += before === undefined ? 0 : last;
    if (/flags=.?D/.test(packet)) hiddenSeconds += usual;
    before = time ?? Number.NaN;
  }
  return { seconds: before === undefined ? 0 : seconds + last, hiddenSeconds, lastFrameSeconds: last };
}

/** Whether so much of a recording is the whole file: no more than a frame, or what was hidden, is missing or too much. */
export function isWhole(openedSeconds: number, input: InputLength): boolean {
  const apart = APART_SECONDS + input.lastFrameSeconds;
  return (
    openedSeconds >= input.seconds - input.hiddenSeconds - apart && openedSeconds <= input.seconds + apart
  );
}

/** From one packet to the next; a frame's usual time where the stamps do not tell. */
function distance(before: number, time: number | undefined, usual: number, format: string): number {
  const between = (time ?? Number.NaN) - before;
  const jumps = between < 0 || (format.includes('mpegts') && between > JUMP_SECONDS);
  return Number.isNaN(between) || jumps ? usual : between;
}

function timeOf(packet: string): number | undefined {
  const [, time] = /dts_time=(-?[\d.]+)/.exec(packet) ?? /pts_time=(-?[\d.]+)/.exec(packet) ?? [];
  return time === undefined ? undefined : Number(time);
}
