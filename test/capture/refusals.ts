import type { Cause } from '../../agent/capture/errors.ts';
import type { FfmpegResult, RunFfmpeg } from '../../agent/capture/ffmpeg-runner.ts';
import { parseSource, type Source } from '../../agent/capture/source.ts';
import type { RtspSource } from '../../agent/capture/sources/rtsp.ts';
import { openRtspPeer, type RtspAnswer, type RtspRequest } from './rtsp-peer.ts';

/** What network cameras refuse, and what has to be said of it, whatever version of ffmpeg hears it. */

/** µs that ffprobe waits for an answer: long for one that comes, short for one that does not. */
const WAIT = { long: 120_000_000, short: 300_000 };

/** What ffprobe says of a source, opened as capture opens it. */
export function probedBy(run: RunFfmpeg, source: Source, waitUs = WAIT.long): Promise<FfmpegResult> {
  const { options, url, stdin } = source.input();
  const level = source.kind === 'rtsp' ? 'level+info' : 'error';
  return run({
    command: 'ffprobe',
    args: ['-hide_banner', '-v', level, '-show_entries', 'stream=codec_type', ...options, '-i', url],
    stdin: stdin?.replace(/option timeout \d+/, `option timeout ${waitUs}`) ?? null,
  });
}

export const rtsp = (port: number, { user = '', scheme = 'rtsp', path = '/x' } = {}) =>
  parseSource(`${scheme}://${user}127.0.0.1:${port}${path}`, ['127.0.0.1']) as RtspSource;
export const failing =
  (failed: string, status: string, ...headers: string[]) =>
  (request: RtspRequest) =>
    request.method === failed ? { status, headers } : undefined;
export const digest = (algorithm: string) => `WWW-Authenticate: Digest realm="r", nonce="n"${algorithm}`;
const silent = () => 'silent' as const;
const inHttp = ({ method }: RtspRequest) =>
  method === 'OPTIONS' ? { status: '400 Bad Request', protocol: 'HTTP/1.1' } : ('silent' as const);
export const unauthorized = (...headers: string[]) => failing('DESCRIBE', '401 Unauthorized', ...headers);

const eve = 'eve:hunter2@';
type Row = [Cause, string, (request: RtspRequest) => RtspAnswer | 'silent' | undefined, object];
export const REFUSALS: readonly Row[] = [
  ['session-limit', '453 to SETUP', failing('SETUP', '453 Not Enough Bandwidth'), {}],
  ['session-limit', '453 to PLAY', failing('PLAY', '453 Nope'), { user: eve }],
  ['transport-refused', '461', failing('SETUP', '461 Unsupported Transport'), { user: eve }],
  ['credentials-missing', '401 without a user', unauthorized(digest('')), {}],
  ['credentials-refused', '401, Digest', unauthorized(digest('')), { user: eve }],
  ['credentials-refused', '401, MD5', unauthorized(digest(', algorithm=MD5')), { user: eve }],
  ['credentials-refused', '401, Basic', unauthorized('WWW-Authenticate: Basic realm="r"'), { user: eve }],
  ['login-unsupported', '401, SHA-256', unauthorized(digest(', algorithm="SHA-256"')), { user: eve }],
  [
    'login-unsupported',
    '401, SHA-256 last',
    unauthorized(digest(''), digest(', algorithm=SHA-256')),
    { user: eve },
  ],
  [
    'credentials-refused',
    '401, MD5 last',
    unauthorized(digest(', algorithm=SHA-256'), digest('')),
    { user: eve },
  ],
  ['login-unsupported', '401, Bearer', unauthorized('WWW-Authenticate: Bearer realm="r"'), { user: eve }],
  ['access-denied', '403', failing('DESCRIBE', '403 Forbidden'), { user: eve }],
  ['path-unknown', '404', failing('DESCRIBE', '404 Not Found'), {}],
  ['path-unknown', '404 with other words', failing('DESCRIBE', '404 x: Connection refused'), {}],
  ['request-refused', '400', failing('DESCRIBE', '400 Bad Request'), {}],
  ['request-refused', '503', failing('DESCRIBE', '503 Service Unavailable'), {}],
  ['not-rtsp', 'nothing', silent, {}],
  ['not-rtsp', 'in HTTP', inHttp, {}],
  ['tls-failed', 'without TLS', silent, { scheme: 'rtsps' }],
];

/** What is found of each, and ffprobe's exit code. @param run an ffprobe that reaches this machine's loopback. */
export async function causesOfRefusals(run: RunFfmpeg): Promise<unknown[][]> {
  return await Promise.all(
    REFUSALS.map(async ([, what, answer, options]) => {
      const peer = await openRtspPeer(answer);
      try {
        const source = rtsp(peer.port, options);
        const isQuiet = answer === silent || answer === inHttp;
        const result = await probedBy(run, source, isQuiet ? WAIT.short : WAIT.long);
        return [await source.diagnoseProbe(result, run), what, result.code];
      } finally {
        peer.close();
      }
    }),
  );
}
