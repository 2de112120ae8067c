import * as v from 'valibot';
import { causeText } from './cause.ts';
import { refusedDecoderIn } from './decoders.ts';
import { diagnoseProbe } from './diagnosis.ts';
import { CaptureError } from './errors.ts';
import { acceptFile, readFileFacts } from './file-facts.ts';
import { inputOf } from './input.ts';
import { scrubLine } from './scrub.ts';
import { credentialsOf, type FrameSize, type Source } from './source.ts';
import type { RunTool, Tool, ToolResult } from './tool.ts';
import { type Mode, probeDevice } from './v4l2-modes.ts';
import { complaintsIn, redirectIn } from './words.ts';

/** What is known of a source before a run. */
export interface SourceFacts {
  /** Index of the stream to record: no cover picture. */
  video: number;
  /** Index of the sound to record, null where there is none. */
  sound: number | null;
  /** H.264 as every viewer plays it: 8 bits, 4:2:0. */
  h264: boolean;
  /** `aac`: as MP4 takes it, with its AudioSpecificConfig; AAC in ADTS is `other`. */
  audio: 'none' | 'aac' | 'other';
  /** As it is shown, upright, both sides even; null where it was not measured. */
  size: FrameSize | null;
  /** Frames a second, null where that is not known. */
  rate: number | null;
  /** Pictures are shown in another order than they are decoded in. */
  bFrames: boolean;
  /** Which timestamps its packets have. */
  stamps: 'both' | 'decoding' | 'none';
  /** Longest time between keyframes seen, in seconds; null where it was not measured. */
  gopSeconds: number | null;
  /** What to ask a V4L2 device for; null of another source. */
  mode: Mode | null;
}

/** Media seconds of a file in which its GOPs are measured; the agent watches the rest. */
const GOP_WINDOW_SECONDS = 120;
const COPYABLE_PROFILES = new Set(['Constrained Baseline', 'Baseline', 'Main', 'High']);
const COPYABLE_FORMATS = new Set(['yuv420p', 'yuvj420p']);
const STREAM_LIMIT = 64;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const StreamSchema = v.object({
  index: whole,
  codec_type: v.optional(v.string()),
  codec_name: v.optional(v.string()),
  profile: v.optional(v.string()),
  pix_fmt: v.optional(v.string()),
  width: v.optional(whole),
  height: v.optional(whole),
  has_b_frames: v.optional(whole),
  extradata_size: v.optional(whole),
  avg_frame_rate: v.optional(v.string()),
  r_frame_rate: v.optional(v.string()),
  disposition: v.optional(v.object({ attached_pic: v.optional(whole), default: v.optional(whole) })),
  side_data_list: v.optional(v.array(v.object({ rotation: v.optional(v.number()) }))),
});
type Stream = v.InferOutput<typeof StreamSchema>;
const StreamsSchema = v.object({ streams: v.pipe(v.array(StreamSchema), v.maxLength(STREAM_LIMIT)) });

const NOTHING_MEASURED = {
  video: 0,
  sound: null,
  size: null,
  rate: null,
  bFrames: false,
  stamps: 'both',
  gopSeconds: null,
  mode: null,
} as const;

/**
 * Looks at a source: its streams, a file's GOPs, a device's formats.
 * @param run runs a command within limits of time and output
 * @throws CaptureError PROBE_FAILED, CODEC_REFUSED, NO_VIDEO, SOURCE_REDIRECTED, SOURCE_OPTION, with the cause where it
 *   is known
 */
export async function probeSource(source: Source, run: RunTool): Promise<SourceFacts> {
  switch (source.kind) {
    case 'test':
      return { ...NOTHING_MEASURED, h264: false, audio: 'other', size: source.size };
    case 'v4l2': {
      const mode = await probeDevice(source, run);
      return { ...NOTHING_MEASURED, h264: mode.format === 'h264', audio: 'none', size: mode.size, mode };
    }
    case 'file':
    case 'rtsp': {
      if (source.kind === 'file') acceptFile(source.path);
      const facts = parseStreams((await expectOutput(run, source, streamsCommand(source))).stdout);
      if (source.kind === 'rtsp' || !facts.h264) {
        return facts;
      }
      const packets = await expectOutput(run, source, packetsCommand(source, facts.video));
      return { ...facts, ...parsePackets(packets.stdout, facts.rate) };
    }
  }
}

/** ffprobe's `-show_entries stream=… -of json`: facts of the video and the sound to record. */
export function parseStreams(json: string): SourceFacts {
  let streams: readonly Stream[];
  try {
    streams = v.parse(StreamsSchema, JSON.parse(json)).streams;
  } catch (cause) {
    throw new CaptureError('PROBE_FAILED', 'ffprobe’s answer is malformed', cause);
  }
  const video = chosen(streams.filter(isFilm));
  const audio = chosen(streams.filter(({ codec_type }) => codec_type === 'audio'));
  if (video === undefined) {
    throw new CaptureError('NO_VIDEO', causeText('no-video'), undefined, 'no-video');
  }
  return {
    ...NOTHING_MEASURED,
    video: video.index,
    sound: audio?.index ?? null,
    h264:
      video.codec_name === 'h264' &&
      COPYABLE_PROFILES.has(video.profile ?? '') &&
      COPYABLE_FORMATS.has(video.pix_fmt ?? ''),
    audio: audio === undefined ? 'none' : soundOf(audio),
    size: shownSize(video),
    rate: frameRate(video),
    bFrames: (video.has_b_frames ?? 0) > 0,
  };
}

/** A cover picture is a stream of video, too. */
const isFilm = ({ codec_type, disposition }: Stream) =>
  codec_type === 'video' && disposition?.attached_pic !== 1;

/** The one that its maker calls the default, or else the first, as players choose. */
const chosen = (streams: readonly Stream[]) =>
  streams.find(({ disposition }) => disposition?.default === 1) ?? streams[0];

/** Without the AudioSpecificConfig (ISO/IEC 14496-3) AAC cannot be put into MP4 as it is. */
const soundOf = ({ codec_name, extradata_size = 0 }: Stream) =>
  codec_name === 'aac' && extradata_size >= 2 ? 'aac' : 'other';

function shownSize({ width = 0, height = 0, side_data_list = [] }: Stream): FrameSize | null {
  if (width < 2 || height < 2) return null;
  const rotation = side_data_list.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  const even = { width: width - (width % 2), height: height - (height % 2) };
  return Math.abs(rotation) % 180 === 90 ? { width: even.height, height: even.width } : even;
}

/** Beyond this a rate is that of a clock, not of frames. */
const MAX_RATE = 240;

function frameRate({ avg_frame_rate, r_frame_rate }: Stream): number | null {
  for (const text of [avg_frame_rate, r_frame_rate]) {
    const [count = 0, seconds = 0] = (text ?? '').split('/').map(Number);
    const rate = count / seconds;
    if (rate > 0 && rate <= MAX_RATE) return rate;
  }
  return null;
}

/**
 * ffprobe's `packet=pts_time,dts_time,flags` lines: which timestamps there are, and the longest time from a keyframe to
 * the next, or to the end; where there are none, by the number of packets.
 * @param rate frames a second.
 */
export function parsePackets(csv: string, rate: number | null): Pick<SourceFacts, 'stamps' | 'gopSeconds'> {
  let [longest, last, index, shown, decoded] = [0, 0, 0, 0, 0];
  let keyframe: number | null = null;
  for (const line of csv.split('\n')) {
    const [pts = '', dts = '', flags = ''] = line.split(',');
    if (flags === '') continue;
    const [shownAt, decodedAt] = [Number.parseFloat(pts), Number.parseFloat(dts)];
    shown += Number.isFinite(shownAt) ? 1 : 0;
    decoded += Number.isFinite(decodedAt) ? 1 : 0;
    const seconds = [shownAt, decodedAt, index / (rate ?? 25)].find(Number.isFinite) ?? 0;
    index += 1;
    last = Math.max(last, seconds);
    if (flags.startsWith('K')) {
      longest = Math.max(longest, seconds - (keyframe ?? seconds));
      keyframe = seconds;
    }
  }
  const without = decoded === index ? 'decoding' : 'none';
  const stamps = shown === index ? 'both' : without;
  const gopSeconds = keyframe === null ? Number.POSITIVE_INFINITY : Math.max(longest, last - keyframe);
  return { stamps, gopSeconds };
}

async function expectOutput(run: RunTool, source: Source, command: Tool): Promise<ToolResult> {
  const result = await run(command);
  const redirect = redirectIn(result.stderr);
  if (redirect !== undefined) {
    throw new CaptureError('SOURCE_REDIRECTED', scrubLine(redirect, credentialsOf(source)));
  }
  const decoder = refusedDecoderIn(result.stderr);
  if (result.code !== 0 && decoder !== undefined) {
    throw new CaptureError(
      'CODEC_REFUSED',
      `the source holds ${decoder}, which is not decoded here: have it made with H.264 and AAC`,
    );
  }
  if (result.code !== 0) {
    const file = source.kind === 'file' ? readFileFacts(source.path) : undefined;
    const cause = await diagnoseProbe(result, source, run, file);
    const [first = 'probing took too long'] = complaintsIn(result.stderr, credentialsOf(source));
    throw new CaptureError('PROBE_FAILED', cause === undefined ? first : causeText(cause), undefined, cause);
  }
  return result;
}

const STREAM_ENTRIES =
  'stream=index,codec_type,codec_name,profile,pix_fmt,width,height,has_b_frames,extradata_size,avg_frame_rate,r_frame_rate';

function streamsCommand(source: Source): Tool {
  const entries = `${STREAM_ENTRIES}:stream_disposition=attached_pic,default:stream_side_data=rotation`;
  return ffprobe(source, ['-show_entries', entries, '-of', 'json']);
}

function packetsCommand(source: Source, video: number): Tool {
  return ffprobe(source, [
    ...['-select_streams', String(video), '-read_intervals', `%+${GOP_WINDOW_SECONDS}`],
    ...['-show_entries', 'packet=pts_time,dts_time,flags', '-of', 'csv=p=0'],
  ]);
}

function ffprobe(source: Source, options: string[]): Tool {
  const input = inputOf(source);
  return {
    command: 'ffprobe',
    args: [
      '-hide_banner',
      '-v',
      source.kind === 'rtsp' ? 'level+info' : 'error',
      ...options,
      ...input.options,
      '-i',
      input.url,
    ],
    stdin: input.stdin,
  };
}
