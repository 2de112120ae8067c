import * as v from 'valibot';
import { CaptureError, causeText } from './errors.ts';
import type { FrameSize } from './frame-size.ts';
import { causeWithoutVideo, type FileFacts } from './sources/file-facts.ts';
import type { Mode } from './sources/v4l2-modes.ts';

/** What is known of a source before a run. */
export interface SourceFacts {
  /** Which of its streams of video to record, from 0: no cover picture. */
  video: number;
  /** Which of its sounds to record, from 0; null where there is none. */
  sound: number | null;
  /** H.264 as every viewer plays it: 8 bits, 4:2:0. */
  h264: boolean;
  /**
   * `aac`: as MP4 takes it, with its AudioSpecificConfig; AAC in ADTS is `other`. `silent`: a network camera describes it,
   * and sent none while it was asked. `undecoded`: it is in a format that is not decoded here.
   */
  audio: 'none' | 'aac' | 'other' | 'silent' | 'undecoded';
  /** As it is shown, upright, both sides even; null where it was not measured. */
  size: FrameSize | null;
  /** Frames a second, null where that is not known. */
  rate: number | null;
  /** Pictures are shown in another order than they are decoded in. */
  bFrames: boolean;
  /** Its decoder shows pictures before the first keyframe: grey and smeared ones. H.264's does not. */
  smears: boolean;
  /** Which timestamps its packets have. */
  stamps: 'both' | 'decoding' | 'none';
  /** Longest time between keyframes seen, in seconds; null where it was not measured. */
  gopSeconds: number | null;
  /** Longest time between two packets of a file, in seconds; 0 where it was not measured. */
  pauseSeconds: number;
  /** What to ask a V4L2 device for; null of another source. */
  mode: Mode | null;
}

const COPYABLE_PROFILES = new Set(['Constrained Baseline', 'Baseline', 'Main', 'High']);
const COPYABLE_FORMATS = new Set(['yuv420p', 'yuvj420p']);
const SMEARING = new Set(['hevc', 'mpeg4', 'msmpeg4v2', 'msmpeg4v3']);
/** Whether the decoder of a codec, by ffmpeg's name, shows pictures before the first keyframe. */
export const smears = (codec = ''): boolean => SMEARING.has(codec);
const STREAM_LIMIT = 64;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const StreamSchema = v.object({
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
  start_time: v.optional(v.string()),
  disposition: v.optional(v.object({ attached_pic: v.optional(whole), default: v.optional(whole) })),
  side_data_list: v.optional(v.array(v.object({ rotation: v.optional(v.number()) }))),
});
type Stream = v.InferOutput<typeof StreamSchema>;
const StreamsSchema = v.object({ streams: v.pipe(v.array(StreamSchema), v.maxLength(STREAM_LIMIT)) });

/** Of a source whose streams nobody asks. */
export const NOTHING_MEASURED = {
  video: 0,
  sound: null,
  size: null,
  rate: null,
  bFrames: false,
  smears: false,
  stamps: 'both',
  gopSeconds: null,
  pauseSeconds: 0,
  mode: null,
} as const;

/**
 * ffprobe's `-show_entries stream=… -of json`: facts of the video and the sound to record.
 * @param file of a `file:` source
 * @throws CaptureError PROBE_FAILED, NO_VIDEO, with the cause
 */
export function parseStreams(json: string, file?: FileFacts): SourceFacts {
  let streams: readonly Stream[];
  try {
    streams = v.parse(StreamsSchema, JSON.parse(json)).streams;
  } catch (cause) {
    throw new CaptureError('PROBE_FAILED', 'ffprobe’s answer is malformed', cause);
  }
  const videos = streams.filter(({ codec_type }) => codec_type === 'video');
  const sounds = streams.filter(({ codec_type }) => codec_type === 'audio');
  const video = chosen(videos.filter(isFilm));
  const audio = chosen(sounds);
  if (video === undefined) {
    const cause = causeWithoutVideo(streams.length, file);
    throw new CaptureError('NO_VIDEO', causeText(cause), undefined, cause);
  }
  return {
    ...NOTHING_MEASURED,
    video: videos.indexOf(video),
    sound: audio === undefined ? null : sounds.indexOf(audio),
    h264:
      video.codec_name === 'h264' &&
      COPYABLE_PROFILES.has(video.profile ?? '') &&
      COPYABLE_FORMATS.has(video.pix_fmt ?? ''),
    audio: audio === undefined ? 'none' : soundOf(audio, file),
    size: shownSize(video),
    rate: frameRate(video),
    bFrames: (video.has_b_frames ?? 0) > 0,
    smears: smears(video.codec_name),
  };
}

/** A cover picture is a stream of video, too. */
const isFilm = ({ disposition }: Stream) => disposition?.attached_pic !== 1;

/** The one that its maker calls the default, or else the first, as players choose. */
const chosen = (streams: readonly Stream[]) =>
  streams.find(({ disposition }) => disposition?.default === 1) ?? streams[0];

/** Without the AudioSpecificConfig (ISO/IEC 14496-3) AAC cannot be put into MP4 as it is. */
function soundOf({ codec_name, extradata_size = 0, start_time }: Stream, file: FileFacts | undefined) {
  // ffprobe waits 5 s for the first time of each stream.
  if (file === undefined && start_time === undefined) return 'silent';
  return codec_name === 'aac' && extradata_size >= 2 ? 'aac' : 'other';
}

function shownSize({ width = 0, height = 0, side_data_list = [] }: Stream): FrameSize | null {
  if (width === 0 || height === 0) return null;
  const rotation = side_data_list.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  const even = (side: number) => Math.max(2, side - (side % 2));
  const shown = { width: even(width), height: even(height) };
  return Math.abs(rotation) % 180 === 90 ? { width: shown.height, height: shown.width } : shown;
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

/** Time between two packets beyond this is a pause or a jump, and no picture's. Seconds. */
const LONGEST_PICTURE = 1;
/** Beyond this it is a jump, and ffmpeg waits for none. Seconds. */
const LONGEST_PAUSE = 3_600;

/**
 * ffprobe's `packet=pts_time,dts_time,flags` lines, in the order of decoding: which timestamps there are, and the longest
 * time from a keyframe to the next, or to the end; where there are none, by the number of packets.
 * @param rate frames a second.
 */
export function parsePackets(
  csv: string,
  rate: number | null,
): Pick<SourceFacts, 'stamps' | 'gopSeconds' | 'pauseSeconds'> {
  const packets = [...csv.matchAll(PACKET)].map(([, shown = '', decoded = '', key]) => ({
    shownAt: Number.parseFloat(shown),
    decodedAt: Number.parseFloat(decoded),
    isKey: key === 'K',
  }));
  const has = (time: 'shownAt' | 'decodedAt') => packets.every((packet) => Number.isFinite(packet[time]));
  const without = has('decodedAt') ? 'decoding' : 'none';
  const times = packets.map(
    ({ shownAt, decodedAt }, index) =>
      [decodedAt, shownAt].find(Number.isFinite) ?? index / (rate ?? DEFAULT_RATE),
  );
  let [since, longest, pauseSeconds] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const [index, { isKey }] of packets.entries()) {
    const passed = index === 0 ? 0 : Math.max(0, (times[index] ?? 0) - (times[index - 1] ?? 0));
    since += Math.min(passed, LONGEST_PICTURE);
    if (passed < LONGEST_PAUSE) pauseSeconds = Math.max(pauseSeconds, passed);
    if (Number.isFinite(since)) longest = Math.max(longest, since);
    if (isKey) since = 0;
  }
  const gopSeconds = Number.isFinite(since) ? longest : Number.POSITIVE_INFINITY;
  return { stamps: has('shownAt') ? 'both' : without, gopSeconds, pauseSeconds };
}

/** `pts_time,dts_time,flags`, N/A where there is none. */
const PACKET = /^([\d.-]+|N\/A),([\d.-]+|N\/A),(K?)/gm;

/** ffmpeg's own for a stream that states none. */
const DEFAULT_RATE = 25;
