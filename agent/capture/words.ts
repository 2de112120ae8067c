/** What ffmpeg and ffprobe say on stderr at `-loglevel level+info`: `[context] [level] text`, a line each. */

const REDIRECT = /^\[rtsp @ 0x[0-9a-f]+\] \[info\] (Status 3\d\d: Redirecting to .*)$/m;
const INFORMATION = /^(\[[^\]]* @ 0x[0-9a-f]+\] )?\[info\] /;
const LEVEL = /\[(panic|fatal|error|warning)\] /;

/**
 * Where a line says that the camera sends it elsewhere (RFC 2326 section 11.3): ffmpeg goes there and has no option
 * not to, so this is the moment to end it.
 */
export function redirectIn(text: string): string | undefined {
  return REDIRECT.exec(text)?.[1];
}

/** A line for people, without its level; empty when it only informs. */
export function complaintIn(line: string): string {
  return INFORMATION.test(line) ? '' : line.replace(LEVEL, '');
}
