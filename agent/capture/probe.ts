import * as v from 'valibot';
import { refusedDecoderIn } from './decoders.ts';
import { CaptureError } from './errors.ts';
import { inputOf } from './input.ts';
import { scrubLine } from './scrub.ts';
import { credentialsOf, type Source } from './source.ts';
import type { RunTool, Tool, ToolResult } from './tool.ts';
import { complaintIn, redirectIn } from './words.ts';

/** What is known of a source before a run. */
export interface SourceFacts {
  /** H.264 as every viewer plays it: 8 bits, 4:2:0. */
  h264: boolean;
  audio: 'none' | 'aac' | 'other';
  /** Longest time between keyframes seen, in seconds; null where it was not measured. */
  gopSeconds: number | null;
  /** Format to ask a V4L2 device for; null leaves it to the driver. */
  format: string | null;
}

/** Media seconds of a file in which its GOPs are measured; the agent watches the rest. */
const GOP_WINDOW_SECONDS = 120;
const COPYABLE_PROFILES = new Set(['Constrained Baseline', 'Baseline', 'Main', 'High']);
const COPYABLE_FORMATS = new Set(['yuv420p', 'yuvj420p']);
const STREAM_LIMIT = 64;

const StreamsSchema = v.object({
  streams: v.pipe(
    v.array(
      v.object({
        codec_type: v.optional(v.string()),
        codec_name: v.optional(v.string()),
        profile: v.optional(v.string()),
        pix_fmt: v.optional(v.string()),
      }),
    ),
    v.maxLength(STREAM_LIMIT),
  ),
});

/**
 * Looks at a source: codecs, a file's GOPs, a device's formats.
 * @param run runs a command within limits of time and output
 * @throws CaptureError PROBE_FAILED, CODEC_REFUSED, NO_VIDEO, SOURCE_REDIRECTED
 */
export async function probeSource(source: Source, run: RunTool): Promise<SourceFacts> {
  switch (source.kind) {
    case 'test':
      return { h264: false, audio: 'other', gopSeconds: null, format: null };
    case 'v4l2': {
      const format =
        source.format ?? chooseFormat(parseFormats((await run(formatsCommand(source.device))).stderr));
      return { h264: format === 'h264', audio: 'none', gopSeconds: null, format };
    }
    case 'file':
    case 'rtsp': {
      const facts = parseStreams((await expectOutput(run, source, streamsCommand(source))).stdout);
      if (source.kind === 'rtsp' || !facts.h264) {
        return facts;
      }
      const packets = await expectOutput(run, source, packetsCommand(source));
      return { ...facts, gopSeconds: longestGop(packets.stdout) };
    }
  }
}

/** ffprobe's `-show_entries stream=… -of json`: facts of the first video and the first sound. */
export function parseStreams(json: string): SourceFacts {
  let streams: v.InferOutput<typeof StreamsSchema>['streams'];
  try {
    streams = v.parse(StreamsSchema, JSON.parse(json)).streams;
  } catch (cause) {
    throw new CaptureError('PROBE_FAILED', 'ffprobe’s answer is malformed', cause);
  }
  const video = streams.find((stream) => stream.codec_type === 'video');
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  if (video === undefined) {
    throw new CaptureError('NO_VIDEO', 'the source holds no video');
  }
  return {
    h264:
      video.codec_name === 'h264' &&
      COPYABLE_PROFILES.has(video.profile ?? '') &&
      COPYABLE_FORMATS.has(video.pix_fmt ?? ''),
    audio: audio === undefined ? 'none' : soundOf(audio.codec_name),
    gopSeconds: null,
    format: null,
  };
}

function soundOf(codec: string | undefined): 'aac' | 'other' {
  return codec === 'aac' ? 'aac' : 'other';
}

/** ffprobe's `packet=pts_time,flags` lines: the longest time from a keyframe to the next, or to the end. */
export function longestGop(csv: string): number {
  let longest = 0;
  let keyframe: number | null = null;
  let last = 0;
  for (const line of csv.split('\n')) {
    const [time = '', flags = ''] = line.split(',');
    const seconds = Number.parseFloat(time);
    if (!Number.isFinite(seconds)) {
      continue;
    }
    last = Math.max(last, seconds);
    if (flags.startsWith('K')) {
      longest = Math.max(longest, seconds - (keyframe ?? seconds));
      keyframe = seconds;
    }
  }
  return keyframe === null ? Number.POSITIVE_INFINITY : Math.max(longest, last - keyframe);
}

/** ffmpeg's `-list_formats all`: the names it takes as `-input_format`. */
export function parseFormats(stderr: string): string[] {
  return [...stderr.matchAll(/^\[[^\]]*\]\s*(?:Raw|Compressed)\s*:\s*([a-z0-9_]{1,16})\s*:/gm)].map(
    ([, name = '']) => name,
  );
}

/** H.264 from the camera itself costs us nothing; anything else is the driver's choice. */
function chooseFormat(formats: readonly string[]): string | null {
  return formats.includes('h264') ? 'h264' : null;
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
    const line = complaintIn(result.stderr.trim().split('\n').at(-1) ?? '');
    throw new CaptureError('PROBE_FAILED', scrubLine(line, credentialsOf(source)) || 'probing took too long');
  }
  return result;
}

function formatsCommand(device: string): Tool {
  const args = ['-hide_banner', '-nostdin', '-f', 'v4l2', '-list_formats', 'all', '-i', device];
  return { command: 'ffmpeg', args, stdin: null };
}

function streamsCommand(source: Source): Tool {
  return ffprobe(source, ['-show_entries', 'stream=codec_type,codec_name,profile,pix_fmt', '-of', 'json']);
}

function packetsCommand(source: Source): Tool {
  return ffprobe(source, [
    ...['-select_streams', 'v:0', '-read_intervals', `%+${GOP_WINDOW_SECONDS}`],
    ...['-show_entries', 'packet=pts_time,flags', '-of', 'csv=p=0'],
  ]);
}

function ffprobe(source: Source, options: string[]): Tool {
  const input = inputOf(source, null);
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
