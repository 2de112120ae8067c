import { decodersFor } from './decoders.ts';
import { formatRate, formatSize, type RtspSource, rtspUrl, type Source } from './source.ts';

/** How ffmpeg and ffprobe open a source. */
export interface Input {
  /** Options that stand before `-i`, flat. */
  options: readonly string[];
  url: string;
  /** What the command reads from its stdin: here a URL with a password stays out of argv. */
  stdin: string | null;
}

/** Time without a byte from the network camera before ffmpeg gives up, µs. */
const RTSP_TIMEOUT_US = 5_000_000;
/** The same of a camera with less than a frame in these, in frames. */
const RTSP_TIMEOUT_FRAMES = 4;

/** What is read until a keyframe says what the camera's description does not: a minute of 8 Mbit/s. ffmpeg's own is 5 MB. */
const PROBE_BYTES = 64 * 1024 * 1024;

/** What of a run's plan concerns its input. */
export interface InputPlan {
  /** The time of arrival is the timestamp, whatever the source says. */
  readonly arrival?: boolean;
  /** Frames a second, null where that is not known. */
  readonly rate?: number | null;
  /** Sound is asked for, too. A network camera is asked for nothing else: ffmpeg waits for what does not come. */
  readonly sound?: boolean;
}

/** The input of a source, without pace or looping. */
export function inputOf(source: Source, plan: InputPlan = {}): Input {
  const { arrival = false } = plan;
  switch (source.kind) {
    case 'file':
      // A playlist inside the file must not lead anywhere else.
      return {
        options: [...decodersFor('file'), '-protocol_whitelist', 'file'],
        url: `file:${source.path}`,
        stdin: null,
      };
    case 'test':
      return {
        options: [...decodersFor('test'), '-f', 'lavfi'],
        url: `testsrc2=size=${formatSize(source.size)}:rate=${formatRate(source.rate)}`,
        stdin: null,
      };
    case 'v4l2':
      return {
        options: [
          ...decodersFor('v4l2'),
          '-f',
          'v4l2',
          ...(source.format === null ? [] : ['-input_format', source.format]),
          ...(source.size === null ? [] : ['-video_size', formatSize(source.size)]),
          ...(source.rate === null ? [] : ['-framerate', formatRate(source.rate)]),
          ...(arrival ? ['-use_wallclock_as_timestamps', '1'] : []),
        ],
        url: source.device,
        stdin: null,
      };
    case 'rtsp':
      return {
        options: [
          ...decodersFor('rtsp'),
          '-f',
          'concat',
          '-safe',
          '0',
          '-protocol_whitelist',
          `pipe,rtp,tcp,${rtspProtocols(source)}`,
          ...['-probesize', String(PROBE_BYTES)],
        ],
        url: 'pipe:0',
        stdin: ffconcat(source, plan),
      };
  }
}

function rtspProtocols(source: RtspSource): string {
  return source.scheme === 'rtsps' ? 'rtsp,rtsps,tls' : 'rtsp';
}

function ffconcat(source: RtspSource, { arrival = false, rate = null, sound = false }: InputPlan): string {
  const frames = rate === null ? 0 : (RTSP_TIMEOUT_FRAMES * 1e6) / rate;
  return [
    'ffconcat version 1.0',
    `file '${rtspUrl(source)}'`,
    'option rtsp_transport tcp',
    `option allowed_media_types ${sound ? 'video+audio' : 'video'}`,
    `option probesize ${PROBE_BYTES}`,
    `option timeout ${Math.round(Math.max(RTSP_TIMEOUT_US, frames))}`,
    ...(arrival ? ['option use_wallclock_as_timestamps 1'] : []),
    '',
  ].join('\n');
}
