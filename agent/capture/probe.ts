import { refusedDecoderIn } from './decoders.ts';
import { CaptureError, type Cause, causeText, codecRefused } from './errors.ts';
import { complaintsIn, redactLine, redirectIn } from './ffmpeg-log.ts';
import type { FfmpegResult, FfmpegTool, RunFfmpeg } from './ffmpeg-runner.ts';
import type { FileFacts } from './sources/file-facts.ts';
import type { Source } from './sources/interface.ts';

/** Media seconds of a file in which its GOPs are measured; the agent watches the rest. */
const GOP_WINDOW_SECONDS = 120;

const STREAM_ENTRIES =
  'stream=index,codec_type,codec_name,profile,pix_fmt,width,height,has_b_frames,extradata_size,avg_frame_rate,r_frame_rate,start_time';

export interface StreamsOptions {
  /** A network camera is asked for sound, too. */
  readonly sound?: boolean;
  /** ffprobe's `-v`. */
  readonly level?: string;
  readonly timeoutMs?: number;
}

/** ffprobe's list of a source's streams, as JSON. */
export function streamsCommand(source: Pick<Source, 'input'>, options: StreamsOptions = {}): FfmpegTool {
  const entries = `${STREAM_ENTRIES}:stream_disposition=attached_pic,default:stream_side_data=rotation`;
  return ffprobe(source, ['-show_entries', entries, '-of', 'json'], options);
}

/** ffprobe's list of the first packets of one stream, as CSV. @param video which of its streams of video */
export function packetsCommand(source: Pick<Source, 'input'>, video: number): FfmpegTool {
  return ffprobe(source, [
    ...['-select_streams', `v:${video}`, '-read_intervals', `%+${GOP_WINDOW_SECONDS}`],
    ...['-show_entries', 'packet=pts_time,dts_time,flags', '-of', 'csv=p=0'],
  ]);
}

function ffprobe(
  source: Pick<Source, 'input'>,
  shown: string[],
  { sound = false, level = 'error', timeoutMs }: StreamsOptions = {},
): FfmpegTool {
  const input = source.input({ sound });
  return {
    command: 'ffprobe',
    args: ['-hide_banner', '-v', level, ...shown, ...input.options, '-i', input.url],
    stdin: input.stdin,
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

/**
 * The result of an ffprobe that succeeded.
 * @param file what is known of the file of a `file:` source
 * @throws CaptureError SOURCE_REDIRECTED; CODEC_REFUSED; PROBE_FAILED, with the cause where it is known
 */
export async function expectOutput(
  run: RunFfmpeg,
  source: Pick<Source, 'credentials' | 'diagnoseProbe'>,
  result: FfmpegResult,
  file?: FileFacts,
): Promise<FfmpegResult> {
  const redirect = redirectIn(result.stderr);
  if (redirect !== undefined) {
    throw new CaptureError('SOURCE_REDIRECTED', redactLine(redirect, source.credentials));
  }
  if (result.code === 0) return result;
  const decoder = refusedDecoderIn(result.stderr);
  if (decoder !== undefined) throw codecRefused(decoder);
  const cause = await source.diagnoseProbe(result, run, file);
  const [first = 'probing took too long'] = complaintsIn(result.stderr, source.credentials);
  throw new CaptureError('PROBE_FAILED', first, undefined, cause);
}

/** No video comes of a source, for this cause. */
export const probeFailed = (cause: Cause) =>
  new CaptureError('PROBE_FAILED', causeText(cause), undefined, cause);
