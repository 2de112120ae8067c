import { causeText } from './cause.ts';
import { refusedDecoderIn } from './decoders.ts';
import { causeWithoutVideo, diagnoseProbe } from './diagnosis.ts';
import { CaptureError, codecRefused } from './errors.ts';
import { acceptFile } from './file-facts.ts';
import { inputOf } from './input.ts';
import { credentialsOf, type Source } from './source.ts';
import type { RunTool } from './tool.ts';
import { probeDevice } from './v4l2-modes.ts';
import { complaintsIn, redirectIn } from './words.ts';

/**
 * Opens a source once, as capture does, and films nothing.
 * @throws CaptureError PROBE_FAILED, NO_VIDEO, CODEC_REFUSED, SOURCE_REDIRECTED, SOURCE_OPTION, COMMAND_MISSING, with the cause where it is
 *   known; the message is for people and holds no password
 */
export async function trySource(source: Source, run: RunTool): Promise<void> {
  if (source.kind === 'test') return;
  if (source.kind === 'v4l2') {
    await probeDevice(source, run);
    return;
  }
  const file = source.kind === 'file' ? acceptFile(source.path) : undefined;
  const input = inputOf(source);
  const result = await run({
    command: 'ffprobe',
    args: [
      ...['-hide_banner', '-v', 'level+info', '-show_entries', 'stream=codec_type,width', '-of', 'csv=p=0'],
      ...[...input.options, '-i', input.url],
    ],
    stdin: input.stdin,
  });
  if (redirectIn(result.stderr) !== undefined) {
    throw new CaptureError('SOURCE_REDIRECTED', 'the camera sends to another address');
  }
  const decoder = refusedDecoderIn(result.stderr);
  if (result.code !== 0 && decoder !== undefined) throw codecRefused(decoder);
  if (result.code !== 0) {
    const [first] = complaintsIn(result.stderr, credentialsOf(source));
    const cause = await diagnoseProbe(result, source, run, file);
    const text = cause === undefined ? (first ?? 'probing took too long') : causeText(cause);
    throw new CaptureError('PROBE_FAILED', text, undefined, cause);
  }
  const streams = result.stdout.split('\n').filter((line) => line !== '');
  const video = streams.find((line) => line.startsWith('video'));
  if (video === undefined) {
    const cause = causeWithoutVideo(streams.length, file);
    throw new CaptureError('NO_VIDEO', causeText(cause), undefined, cause);
  }
  // Without a picture it has no size.
  if (!/,[1-9]/.test(video)) {
    const cause = source.kind === 'rtsp' ? 'stream-silent' : causeWithoutVideo(0, file);
    throw new CaptureError('PROBE_FAILED', causeText(cause), undefined, cause);
  }
}
