import type { FfmpegTool } from '../ffmpeg-runner.ts';
import type { RtspSource } from './rtsp.ts';

/**
 * How a camera wants to be logged in to: what its answer 401 says (WWW-Authenticate; RFC 2326 section 15, RFC 7616
 * section 3.3). ffmpeg tells at `-loglevel trace` alone, so this is one more dial, without user and password: the trace
 * holds no secret, and the camera counts no failed login.
 */
export function challengeCommand(source: RtspSource): FfmpegTool {
  const input = source.withoutCredentials().input();
  return {
    command: 'ffprobe',
    args: ['-hide_banner', '-v', 'level+trace', ...input.options, '-i', input.url],
    stdin: input.stdin,
  };
}

const HEADER = /^\[rtsp @ [^\]]*\] \[trace\] line='WWW-Authenticate:[ \t]*([^\r\n]*)'\r?$/gim;
const ALGORITHM = /\balgorithm *= *"?([\w-]{1,32})/i;

/**
 * Whether ffmpeg has no answer to what a camera asks for. Of several headers it takes the last Digest, or else Basic
 * (libavformat/httpauth.c).
 * @param trace stderr of {@link challengeCommand}
 */
export function isUnanswerable(trace: string): boolean {
  const asked = [...trace.matchAll(HEADER)].map(([, challenge = '']) => challenge.trim());
  const digest = asked.findLast((challenge) => /^Digest /i.test(challenge));
  if (digest === undefined)
    return asked.length > 0 && !asked.some((challenge) => /^Basic\b/i.test(challenge));
  const algorithm = ALGORITHM.exec(digest)?.[1] ?? 'MD5';
  return !['md5', 'md5-sess'].includes(algorithm.toLowerCase());
}
