import { decodersFor } from './decoders.ts';
import { inputOf } from './input.ts';
import { type FrameSize, formatSize, type Source } from './source.ts';

export type Encoder = 'libx264' | 'h264_v4l2m2m';

/** How one run of ffmpeg turns a source into fragmented MP4 on its stdout. */
export interface RunPlan {
  source: Source;
  /** Format to ask a V4L2 device for; null leaves it to the driver. */
  format: string | null;
  video: 'copy' | Encoder;
  audio: 'none' | 'copy' | 'aac';
}

/** Seconds between keyframes that we encode. */
const GOP_SECONDS = 2;
const FRAGMENT_US = 200_000;
const VIDEO_BITRATE = '4M';
const AUDIO_BITRATE = '64k';

/** The whole argument array of a run, without the command. */
export async function runArguments(plan: RunPlan): Promise<string[]> {
  const { default: ffmpeg } = await import('fluent-ffmpeg');
  const { source } = plan;
  const input = inputOf(source, plan.format);
  const command = ffmpeg()
    .input(input.url)
    .inputOptions(...reporting(input.stdin === null, source), ...pace(source), ...input.options);
  const tone = source.kind === 'test' && plan.audio !== 'none';
  if (tone) {
    command
      .input('sine=frequency=440:sample_rate=48000')
      .inputOptions('-re', ...decodersFor('test'), '-f', 'lavfi');
  }
  command
    .output('pipe:1')
    .outputOptions(
      ...streams(plan.audio, tone ? 1 : 0),
      ...videoCodec(plan.video),
      ...audioCodec(plan.audio),
      ...fragmentedMp4(plan.video),
    );
  return (command as unknown as { _getArguments(): string[] })._getArguments();
}

/** Encodes ten frames of a test pattern: whether an encoder is there and yields a sound init segment. */
export async function trialArguments(encoder: Encoder): Promise<string[]> {
  const { default: ffmpeg } = await import('fluent-ffmpeg');
  const command = ffmpeg()
    .input('testsrc2=size=1280x720:rate=25')
    .inputOptions(...reporting(true), ...decodersFor('test'), '-f', 'lavfi')
    .output('pipe:1')
    .outputOptions('-frames:v', '10', ...videoCodec(encoder), ...fragmentedMp4(encoder));
  return (command as unknown as { _getArguments(): string[] })._getArguments();
}

/** Decodes the first keyframe of the MP4 on its stdin to one picture of that size: red, green, blue, a byte each. */
export async function stillArguments(size: FrameSize): Promise<string[]> {
  const { default: ffmpeg } = await import('fluent-ffmpeg');
  const command = ffmpeg()
    .input('pipe:0')
    .inputOptions(...reporting(false), '-threads', '1', '-skip_frame', 'nokey', '-noautorotate')
    .inputOptions(...decodersFor('recorded'), '-f', 'mov', '-protocol_whitelist', 'pipe')
    .output('pipe:1')
    .outputOptions('-map', '0:v:0', '-frames:v', '1', '-threads', '1')
    .outputOptions('-vf', `scale=${formatSize(size)}:flags=area`)
    .outputOptions('-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'rawvideo');
  return (command as unknown as { _getArguments(): string[] })._getArguments();
}

/** Of a camera on the network it has to say that it is sent elsewhere, which ffmpeg takes for mere information. */
function reporting(stdinFree: boolean, source?: Source): string[] {
  const level = source?.kind === 'rtsp' ? 'level+info' : 'warning';
  return ['-hide_banner', '-loglevel', level, '-nostats', ...(stdinFree ? ['-nostdin'] : [])];
}

function pace(source: Source): string[] {
  switch (source.kind) {
    case 'file':
      return source.loop ? ['-re', '-stream_loop', '-1'] : ['-re'];
    case 'test':
      return ['-re'];
    case 'v4l2':
    case 'rtsp':
      return [];
  }
}

function streams(audio: RunPlan['audio'], audioInput: number): string[] {
  return audio === 'none' ? ['-map', '0:v:0', '-an'] : ['-map', '0:v:0', '-map', `${audioInput}:a:0`];
}

function videoCodec(video: RunPlan['video']): string[] {
  const keyframes = ['-force_key_frames', `expr:gte(t,n_forced*${GOP_SECONDS})`];
  switch (video) {
    case 'copy':
      return ['-c:v', 'copy'];
    case 'libx264':
      // zerolatency has no B-frames and libx264 closes every GOP, so each keyframe stands alone.
      return [
        ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
        ...['-crf', '23', '-maxrate', VIDEO_BITRATE, '-bufsize', VIDEO_BITRATE],
        ...keyframes,
      ];
    case 'h264_v4l2m2m':
      return ['-c:v', 'h264_v4l2m2m', '-pix_fmt', 'yuv420p', '-b:v', VIDEO_BITRATE, ...keyframes];
  }
}

function audioCodec(audio: RunPlan['audio']): string[] {
  switch (audio) {
    case 'none':
      return [];
    case 'copy':
      return ['-c:a', 'copy'];
    case 'aac':
      return ['-c:a', 'aac', '-b:a', AUDIO_BITRATE];
  }
}

function fragmentedMp4(video: RunPlan['video']): string[] {
  // The V4L2 encoder has its parameter sets only in the first packet: the init segment has to wait for it.
  const moov = video === 'h264_v4l2m2m' ? '+empty_moov+delay_moov' : '+empty_moov';
  return [
    ...['-f', 'mp4', '-movflags', `${moov}+default_base_moof+frag_keyframe+skip_trailer`],
    ...['-frag_duration', String(FRAGMENT_US), '-flush_packets', '1'],
  ];
}
