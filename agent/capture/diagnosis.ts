import type { Cause } from './cause.ts';
import { refusedDecoderIn } from './decoders.ts';
import { ENDS_EARLY, plainComplaintsIn } from './ffmpeg-log.ts';
import type { FfmpegResult, RunFfmpeg } from './ffmpeg-runner.ts';
import type { Source } from './source.ts';
import { beginsAsVideo, type FileFacts, isMatroska } from './sources/file-facts.ts';
import { challengeCommand, isUnanswerable } from './sources/rtsp-challenge.ts';

/**
 * From what ffmpeg or ffprobe complained of to the cause. Their words are those of FFmpeg 5.1 to 7.1: libavformat/rtsp.c,
 * tcp.c, tls_*.c, concatdec.c and mov.c, libavdevice/v4l2.c, and strerror(3) in the C locale.
 */
type Rule = readonly [words: RegExp, cause: Cause];

/**
 * `method SETUP failed: 453 Not Enough Bandwidth`, of 7.1 without the space after the code. The reason is the camera's
 * own and proves nothing.
 */
const answered = (codes: string) => new RegExp(`^\\[rtsp @ [^\\]]*\\] method [A-Z_]+ failed: (?:${codes})`);

const NETWORK: readonly Rule[] = [
  [answered('453'), 'session-limit'],
  [answered('461'), 'transport-refused'],
  [answered('401'), 'credentials-refused'],
  [answered('403'), 'access-denied'],
  [answered('404'), 'path-unknown'],
  [answered('[45]\\d\\d'), 'request-refused'],
  [/^\[tls @ /, 'tls-failed'],
  [/^\[tcp @ [^\]]*\] Failed to resolve hostname /, 'host-unknown'],
  [/: Connection refused$/, 'connection-refused'],
  [/: (?:No route to host|Network is unreachable|Host is down)$/, 'host-unreachable'],
  [/: Connection timed out$/, 'host-silent'],
  [/: Server returned 400 Bad Request$/, 'request-refused'],
  [/^(?:pipe:0|(?:\[in#0 @ [^\]]*\] )?Error opening input): Invalid data found/, 'not-rtsp'],
  [/: Connection reset by peer$/, 'connection-lost'],
  // What ffmpeg makes of a connection that ends, or falls silent, after PLAY.
  [/^(?:pipe:0|(?:\[in#0 @ [^\]]*\] )?Error opening input): Operation not permitted/, 'connection-lost'],
];

const FILE: readonly Rule[] = [
  [/\bmoov atom not found$/, 'file-cut'],
  [ENDS_EARLY, 'file-cut'],
  [/\berror reading header$|: End of file$/, 'file-cut'],
  [/: No such file or directory$|: Not a directory$/, 'file-missing'],
  [/: Permission denied$/, 'file-denied'],
  [/: Is a directory$/, 'file-directory'],
  [/: Input\/output error$|: Stale file handle$/, 'file-failing'],
  [/: Invalid data found when processing input$|\bdetected only with low score\b/, 'file-unknown'],
];

const DEVICE: readonly Rule[] = [
  [/\bioctl\(VIDIOC_STREAMON\): No space left on device$/, 'device-bandwidth'],
  [/: Device or resource busy$/, 'device-busy'],
  [/\bioctl\(VIDIOC_DQBUF\): /, 'device-gone'],
  [
    /\bCannot open video device .*: No such (?:file or directory|device|device or address)$/,
    'device-missing',
  ],
  [/\bCannot open video device .*: (?:Permission denied|Operation not permitted)$/, 'device-denied'],
  [/\bNot a video capture device\.$|: Inappropriate ioctl for device$/, 'device-not-capture'],
  [/\bdoes not support the streaming I\/O method\.$/, 'device-not-capture'],
  [
    /\b(?:Cannot find a proper format for codec|No such input format:|Could not parse framerate) /,
    'device-mode',
  ],
  [/\bioctl\(VIDIOC_(?:S_FMT|S_PARM)\): /, 'device-mode'],
  [/: (?:No such device|Protocol error|Input\/output error)$/, 'device-gone'],
];

const NO_VIDEO: Rule = [/\bStream map '[^']*' matches no streams\.$/, 'no-video'];

const RULES: Readonly<Record<Source['kind'], readonly Rule[]>> = {
  rtsp: [...NETWORK, NO_VIDEO],
  file: [...FILE, NO_VIDEO],
  v4l2: [...DEVICE, NO_VIDEO],
  test: [],
};

/** ffmpeg's own summary, after what explains it; and what it says of its output, whose reader is the agent. */
const ASIDE = /\bImpossible to open '|\bpipe:1\b|\bav_interleaved_write_frame\(\)/;

/**
 * Pure. The first line that tells a cause counts: what follows is its consequence.
 * @param lines complaints in their order, without levels (words.ts)
 * @param file what is known of the file of a `file:` source
 */
export function diagnose(lines: readonly string[], source: Source, file?: FileFacts): Cause | undefined {
  for (const line of lines) {
    if (ASIDE.test(line)) continue;
    const cause = RULES[source.kind].find(([words]) => words.test(line.trim()))?.[1];
    if (cause !== undefined) return refined(cause, source, file);
  }
  return undefined;
}

function refined(cause: Cause, source: Source, file: FileFacts | undefined): Cause {
  if (cause === 'credentials-refused' && source.kind === 'rtsp' && source.credentials === null) {
    return 'credentials-missing';
  }
  if (file?.kind !== 'file') return cause;
  // ffmpeg calls a Matroska that ends within its header an input/output error.
  if (cause === 'file-failing' && isMatroska(file.head)) return 'file-cut';
  return cause === 'file-cut' || cause === 'file-unknown' ? unplayable(file.head) : cause;
}

/** By its name alone ffmpeg takes noise for an MP4 without a moov, and a torn AVI for nothing that it knows. */
const unplayable = (head: Uint8Array) => (beginsAsVideo(head) ? 'file-cut' : 'file-unknown');

/**
 * Why a source that could be opened holds no video.
 * @param streams how many streams of any kind it holds
 */
export function causeWithoutVideo(streams: number, file?: FileFacts): Cause {
  return streams === 0 && file?.kind === 'file' ? unplayable(file.head) : 'no-video';
}

/**
 * Why ffprobe came to nothing. A camera that refuses user and password is asked once more what login it wants.
 * @throws CaptureError COMMAND_MISSING
 */
export async function diagnoseProbe(
  { code, stderr }: FfmpegResult,
  source: Source,
  run: RunFfmpeg,
  file?: FileFacts,
): Promise<Cause | undefined> {
  const cause = diagnose(plainComplaintsIn(stderr), source, file);
  if (source.kind === 'file' && cause === undefined && code !== null && file?.kind === 'file') {
    return refusedDecoderIn(stderr) === undefined ? unplayable(file.head) : undefined;
  }
  if (source.kind !== 'rtsp') return cause;
  // Killed for its time: a camera that accepts and then keeps it waiting.
  if (cause === undefined && code === null) return 'host-silent';
  if (cause !== 'credentials-refused') return cause;
  return isUnanswerable((await run(challengeCommand(source))).stderr) ? 'login-unsupported' : cause;
}
