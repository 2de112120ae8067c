import { causeText } from './cause.ts';
import { refusedDecoderIn } from './decoders.ts';
import { causeWithoutVideo, diagnoseProbe } from './diagnosis.ts';
import { CaptureError, codecRefused } from './errors.ts';
import { complaintsIn, redirectIn } from './ffmpeg-log.ts';
import type { FfmpegResult, FfmpegTool, RunFfmpeg } from './ffmpeg-runner.ts';
import { inputOf } from './input.ts';
import { redactLine } from './redact.ts';
import { credentialsOf, type Source } from './source.ts';
import { acceptFile, type FileFacts } from './sources/file-facts.ts';
import { probeDevice } from './sources/v4l2-modes.ts';
import { DESCRIBED_MS } from './stall-rules.ts';
import { NOTHING_MEASURED, parsePackets, parseStreams, type SourceFacts } from './streams.ts';
import { besideRefused } from './undecoded.ts';

/** Media seconds of a file in which its GOPs are measured; the agent watches the rest. */
const GOP_WINDOW_SECONDS = 120;

/**
 * Looks at a source: its streams, a file's GOPs, a device's formats.
 * @param run runs a command within limits of time and output
 * @param sound whether a network camera is asked for sound, too
 * @throws CaptureError PROBE_FAILED, CODEC_REFUSED, NO_VIDEO, SOURCE_REDIRECTED, SOURCE_OPTION, with the cause where it
 *   is known
 */
export async function probeSource(source: Source, run: RunFfmpeg, sound = false): Promise<SourceFacts> {
  switch (source.kind) {
    case 'test':
      return { ...NOTHING_MEASURED, h264: false, audio: 'other', size: source.size };
    case 'v4l2': {
      const mode = await probeDevice(source, run);
      return { ...NOTHING_MEASURED, h264: mode.format === 'h264', audio: 'none', size: mode.size, mode };
    }
    case 'file':
    case 'rtsp': {
      const file = source.kind === 'file' ? acceptFile(source.path) : undefined;
      const command = streamsCommand(source, sound);
      const streams = await run(command);
      if (refusedDecoderIn(streams.stderr) !== undefined) {
        // A camera is not asked twice: some take one session at a time, and of it the streams are listed.
        const { stderr } = file === undefined ? streams : await run(listing(command));
        const beside = besideRefused(stderr);
        if (beside !== undefined) return beside;
      }
      const facts = parseStreams((await expectOutput(run, source, streams, file)).stdout, file);
      // Without a picture it has no size.
      if (facts.size === null) throw withoutPicture(source, file);
      if (source.kind === 'rtsp') {
        return facts;
      }
      const packets = await run(packetsCommand(source, facts.video));
      await expectOutput(run, source, packets, file);
      return { ...facts, ...parsePackets(packets.stdout, facts.rate) };
    }
  }
}

function withoutPicture({ kind }: Source, file: FileFacts | undefined): CaptureError {
  const cause = kind === 'rtsp' ? 'stream-silent' : causeWithoutVideo(0, file);
  return new CaptureError('PROBE_FAILED', causeText(cause), undefined, cause);
}

async function expectOutput(
  run: RunFfmpeg,
  source: Source,
  result: FfmpegResult,
  file: FileFacts | undefined,
): Promise<FfmpegResult> {
  const redirect = redirectIn(result.stderr);
  if (redirect !== undefined) {
    throw new CaptureError('SOURCE_REDIRECTED', redactLine(redirect, credentialsOf(source)));
  }
  if (result.code === 0) return result;
  const decoder = refusedDecoderIn(result.stderr);
  if (decoder !== undefined) throw codecRefused(decoder);
  const cause = await diagnoseProbe(result, source, run, file);
  const [first = 'probing took too long'] = complaintsIn(result.stderr, credentialsOf(source));
  throw new CaptureError('PROBE_FAILED', first, undefined, cause);
}

const STREAM_ENTRIES =
  'stream=index,codec_type,codec_name,profile,pix_fmt,width,height,has_b_frames,extradata_size,avg_frame_rate,r_frame_rate,start_time';

function streamsCommand(source: Source, sound: boolean): FfmpegTool {
  const entries = `${STREAM_ENTRIES}:stream_disposition=attached_pic,default:stream_side_data=rotation`;
  return ffprobe(source, ['-show_entries', entries, '-of', 'json'], sound);
}

/** The same, with the streams listed on stderr. */
const listing = ({ args, ...tool }: FfmpegTool): FfmpegTool => ({
  ...tool,
  args: [...args, '-v', 'level+info'],
});

function packetsCommand(source: Source, video: number): FfmpegTool {
  return ffprobe(source, [
    ...['-select_streams', `v:${video}`, '-read_intervals', `%+${GOP_WINDOW_SECONDS}`],
    ...['-show_entries', 'packet=pts_time,dts_time,flags', '-of', 'csv=p=0'],
  ]);
}

function ffprobe(source: Source, options: string[], sound = false): FfmpegTool {
  const input = inputOf(source, { sound });
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
    ...(source.kind === 'rtsp' && { timeoutMs: DESCRIBED_MS }),
  };
}
