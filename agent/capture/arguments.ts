import { onlyDecoders, PATTERN, RECORDED } from './decoders.ts';
import { type FrameSize, formatSize } from './frame-size.ts';
import { FIRST_SECOND } from './protocol.ts';
import type { Input, Source } from './sources/interface.ts';
import type { SourceFacts } from './streams.ts';

export type Encoder = 'libx264' | 'h264_v4l2m2m';

/** How one run of ffmpeg turns a source into fragmented MP4 on its stdout. */
export interface RunPlan {
  source: Source;
  /** What is known of it. */
  facts: SourceFacts;
  video: 'copy' | Encoder;
  audio: 'none' | 'copy' | 'aac';
  /** The time of arrival is the timestamp, whatever the source says. */
  arrival: boolean;
  /** Where a file goes on, in its seconds. */
  from: number;
}

/** Seconds between keyframes that we encode. */
const GOP_SECONDS = 2;
/** Times of pictures are rounded: so much earlier than that is not too early. Seconds. */
const ROUNDING = 0.01;
/** Each picture once, at its own time: for MP4 ffmpeg 5.1 makes a constant rate of what comes, doubles and drops. */
const EACH_PICTURE = ['-fps_mode', 'vfr', '-enc_time_base', '1/90000'];
const FRAGMENT_US = 200_000;
const VIDEO_BITRATE = '4M';
const AUDIO_BITRATE = '64k';
/** Pictures wait for sound, and an encoder of AAC holds two frames of 1024 samples: a quarter of a second at 8 kHz (G.711). */
const LIVE_SAMPLE_RATE = '48000';
/** Sound that fails to come holds up the picture for so long, µs; ffmpeg's own default is 10 s. */
const INTERLEAVE_US = 250_000;
/** A picture stamped before the one that it follows would be dropped: those after one that was stamped too late. 2 ms. */
const ONWARD = "setpts='if(isnan(PREV_OUTPTS),PTS,max(PREV_OUTPTS+0.002/TB,PTS))'";
/** A stream that is refreshed without keyframes has no other beginning. Seconds. */
const KEYFRAME_SECONDS = 10;

/** What a run of ffmpeg reads. */
export const runInput = ({ source, arrival, facts, audio }: RunPlan): Input =>
  source.input({ arrival, rate: facts.rate, sound: audio !== 'none' });

/** The whole argument array of a run, without the command. */
export async function runArguments(plan: RunPlan): Promise<string[]> {
  const { default: ffmpeg } = await import('fluent-ffmpeg');
  const { source, facts } = plan;
  const input = runInput(plan);
  const command = ffmpeg()
    .input(input.url)
    .inputOptions(...reporting(input.stdin === null), ...source.pace, ...seek(plan), ...input.options);
  if (input.sound !== undefined) command.input(input.sound.url).inputOptions(...input.sound.options);
  command
    .output('pipe:1')
    .outputOptions(
      ...streams(plan, input.sound !== undefined),
      ...videoCodec(plan.video, facts.size, awaitsKeyframe(plan)),
      ...(plan.video === 'copy' ? copying(facts, source.traits.live) : []),
      ...audioCodec(plan.audio, source.traits.live),
      ...fragmentedMp4(plan.video, plan.from),
    );
  return (command as unknown as { _getArguments(): string[] })._getArguments();
}

/** Encodes ten frames of a test pattern: whether an encoder is there and yields a sound init segment. */
export async function trialArguments(encoder: Encoder): Promise<string[]> {
  const { default: ffmpeg } = await import('fluent-ffmpeg');
  const command = ffmpeg()
    .input('testsrc2=size=1280x720:rate=25')
    .inputOptions(...reporting(true, 'warning'), ...onlyDecoders(PATTERN), '-f', 'lavfi')
    .output('pipe:1')
    .outputOptions('-frames:v', '10', ...videoCodec(encoder, null), ...fragmentedMp4(encoder));
  return (command as unknown as { _getArguments(): string[] })._getArguments();
}

/**
 * Decodes the first keyframe of the MP4 on its stdin to one picture of that size: red, green, blue, a byte each.
 * @param turned whether the MP4 says that its pictures are to be turned; they are, before they get that size.
 */
export async function snapshotArguments(size: FrameSize, turned: boolean): Promise<string[]> {
  const { default: ffmpeg } = await import('fluent-ffmpeg');
  const command = ffmpeg()
    .input('pipe:0')
    .inputOptions(...reporting(false, 'warning'), ...['-threads', '1', '-skip_frame', 'nokey'])
    .inputOptions(...(turned ? [] : ['-noautorotate']), ...onlyDecoders(RECORDED))
    .inputOptions('-f', 'mov', '-protocol_whitelist', 'pipe')
    .output('pipe:1')
    .outputOptions('-map', '0:v:0', '-frames:v', '1', '-threads', '1')
    .outputOptions('-vf', `scale=${formatSize(size)}:flags=area`)
    .outputOptions('-c:v', 'rawvideo', '-pix_fmt', 'rgb24', '-f', 'rawvideo');
  return (command as unknown as { _getArguments(): string[] })._getArguments();
}

/** It has to say when a source is open, and that a camera sends it elsewhere, which it takes for mere information. */
function reporting(stdinFree: boolean, level = 'level+info'): string[] {
  return ['-hide_banner', '-loglevel', level, '-nostats', ...(stdinFree ? ['-nostdin'] : [])];
}

/** A file is played once, and goes on where it was. */
const seek = ({ from }: RunPlan): string[] => (from > 0 ? ['-ss', String(from)] : []);

function streams({ facts, audio }: RunPlan, apart: boolean): string[] {
  const sound = apart ? '1:0' : `0:a:${facts.sound}`;
  return ['-map', `0:v:${facts.video}`, ...(audio === 'none' ? ['-an'] : ['-map', sound])];
}

/** A stream may be joined in the midst of a GOP; a file that goes on in one is decoded from its keyframe. */
const awaitsKeyframe = ({ facts, from }: RunPlan): boolean => facts.smears && from === 0;

function videoCodec(video: RunPlan['video'], size: FrameSize | null, awaits = false): string[] {
  // After a pause there is one, not all that were due in it.
  const due = `if(isnan(prev_forced_t),1,gte(t,prev_forced_t+${GOP_SECONDS - ROUNDING}))`;
  const keyframes = [...EACH_PICTURE, '-force_key_frames', `expr:${due}`];
  switch (video) {
    case 'copy':
      return ['-c:v', 'copy'];
    case 'libx264':
      // zerolatency has no B-frames and libx264 closes every GOP, so each keyframe stands alone.
      return [
        ...scaling(size, awaits),
        ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
        ...['-crf', '23', '-maxrate', VIDEO_BITRATE, '-bufsize', VIDEO_BITRATE],
        ...keyframes,
      ];
    case 'h264_v4l2m2m':
      return [
        ...scaling(size, awaits),
        ...['-c:v', 'h264_v4l2m2m', '-pix_fmt', 'yuv420p', '-b:v', VIDEO_BITRATE],
        ...keyframes,
      ];
  }
}

/**
 * 4:2:0 has even sides. A source that changes its size is fitted into the one that it began with: an encoder keeps the size
 * that it was opened with.
 */
function scaling(size: FrameSize | null, awaits: boolean): string[] {
  const first = `${awaits ? `select='key+gt(selected_n,0)+gte(t-start_t,${KEYFRAME_SECONDS})',` : ''}${ONWARD},`;
  if (size === null) return ['-vf', `${first}crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0`];
  const { width: w, height: h } = size;
  const same = `lte(abs(iw-${w}),1)*lte(abs(ih-${h}),1)`;
  const fitted = [
    `w='if(${same},max(iw,2),2*trunc(min(${w},${h}*iw/ih)/2))'`,
    `h='if(${same},max(ih,2),2*trunc(min(${h},${w}*ih/iw)/2))'`,
  ];
  return [
    '-vf',
    `${first}scale=${fitted.join(':')},crop='min(iw,${w})':'min(ih,${h})':0:0,pad=${w}:${h}:-1:-1`,
  ];
}

/**
 * A live source shows its life at once, not with its first keyframe: the agent begins with that. Timestamps that a file
 * lacks are those of decoding, where it has these, or else counted.
 */
function copying({ stamps, rate }: SourceFacts, live: boolean): string[] {
  const atOnce = live ? ['-copyinkf'] : [];
  switch (stamps) {
    case 'both':
      return atOnce;
    case 'decoding':
      return [...atOnce, '-bsf:v', 'setts=pts=DTS'];
    case 'none':
      return [...atOnce, '-bsf:v', `setts=ts=N/${rate ?? 25}/TB`];
  }
}

function audioCodec(audio: RunPlan['audio'], live: boolean): string[] {
  switch (audio) {
    case 'none':
      return [];
    case 'copy':
      return ['-c:a', 'copy'];
    case 'aac':
      return ['-c:a', 'aac', '-b:a', AUDIO_BITRATE, ...(live ? ['-ar', LIVE_SAMPLE_RATE] : [])];
  }
}

/**
 * `frag_discont` without edit lists: each track's tfdt is its own time, so that sound and picture stay in step. A file that
 * goes on keeps its own time.
 */
function fragmentedMp4(video: RunPlan['video'], from = 0): string[] {
  // The V4L2 encoder has its parameter sets only in the first packet: the init segment has to wait for it.
  const moov = video === 'h264_v4l2m2m' ? '+empty_moov+delay_moov' : '+empty_moov';
  // To the millisecond: a sum of fractions is written with many digits.
  const beginsAt = Math.round((FIRST_SECOND + from) * 1000) / 1000;
  return [
    ...['-output_ts_offset', String(beginsAt), '-avoid_negative_ts', 'disabled'],
    ...['-max_interleave_delta', String(INTERLEAVE_US)],
    ...['-f', 'mp4', '-movflags', `${moov}+default_base_moof+frag_keyframe+frag_discont+skip_trailer`],
    ...['-use_editlist', '0', '-frag_duration', String(FRAGMENT_US), '-flush_packets', '1'],
  ];
}
