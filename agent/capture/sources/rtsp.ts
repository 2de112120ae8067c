import { CAMERA_SOUND, CAMERA_VIDEO, onlyDecoders, refusedDecoderIn } from '../decoders.ts';
import { besideRefused, diagnose, NO_VIDEO } from '../diagnosis.ts';
import { CaptureError, type Cause } from '../errors.ts';
import { plainComplaintsIn } from '../ffmpeg-log.ts';
import type { FfmpegResult, FfmpegTool, RunFfmpeg } from '../ffmpeg-runner.ts';
import { expectOutput, probeFailed, streamsCommand } from '../probe.ts';
import { DESCRIBED_MS } from '../stall-rules.ts';
import { parseStreams, type SourceFacts } from '../streams.ts';
import type {
  Complaint,
  Input,
  InputPlan,
  Source,
  SourceAddress,
  SourceKind,
  SourceTraits,
} from './interface.ts';
import { addressOf, isAuthority, isListed, splitRtsp, written } from './rtsp-uri.ts';

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

const TRAITS: SourceTraits = {
  live: true,
  sound: true,
  opensWithKeyframe: true,
  retried: true,
  probedEachRun: false,
  endCause: 'connection-lost',
};

/**
 * `method SETUP failed: 453 Not Enough Bandwidth`, of 7.1 without the space after the code. The reason is the camera's
 * own and proves nothing.
 */
const answered = (codes: string) => new RegExp(`^\\[rtsp @ [^\\]]*\\] method [A-Z_]+ failed: (?:${codes})`);

const COMPLAINTS: readonly Complaint[] = [
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
  NO_VIDEO,
];

/** Time without a byte from the network camera before ffmpeg gives up, µs. */
const TIMEOUT_US = 5_000_000;
/** The same of a camera with less than a frame in these, in frames. */
const TIMEOUT_FRAMES = 4;
/** What is read until a keyframe says what the camera's description does not: a minute of 8 Mbit/s. ffmpeg's own is 5 MB. */
const PROBE_BYTES = 64 * 1024 * 1024;

type RtspParts = Pick<RtspSource, 'scheme' | 'credentials' | 'authority' | 'path'>;

/** A camera on the owner's network, over TCP. */
export class RtspSource implements Source {
  readonly kind = 'rtsp';
  readonly scheme: 'rtsp' | 'rtsps';
  /** `user:password` as written in the URI, percent-encoded; a secret. */
  readonly credentials: string | null;
  /** Host and port as written, in lower case. */
  readonly authority: string;
  /** Path and query, with the leading slash. */
  readonly path: string;

  constructor({ scheme, credentials, authority, path }: RtspParts) {
    this.scheme = scheme;
    this.credentials = credentials;
    this.authority = authority;
    this.path = path;
  }

  get traits(): SourceTraits {
    return TRAITS;
  }

  get dials(): SourceAddress {
    return addressOf(this);
  }

  get place(): null {
    return null;
  }

  get playedOnce(): boolean {
    return false;
  }

  get pace(): readonly string[] {
    return [];
  }

  get complaints(): readonly Complaint[] {
    return COMPLAINTS;
  }

  describe(): string {
    return `${this.scheme}://${this.authority}${this.path.split(/[?=&;]/, 1)[0]}`;
  }

  /** The URL to dial, credentials and all: never for argv or a log. */
  url(): string {
    const userinfo = this.credentials === null ? '' : `${this.credentials}@`;
    return `${this.scheme}://${userinfo}${this.authority}${this.path}`;
  }

  withoutCredentials(): RtspSource {
    return new RtspSource({ ...this, credentials: null });
  }

  input(plan: InputPlan = {}): Input {
    const rtsp = this.scheme === 'rtsps' ? 'rtsp,rtsps,tls' : 'rtsp';
    return {
      options: [
        ...onlyDecoders([...CAMERA_VIDEO, ...CAMERA_SOUND]),
        ...['-f', 'concat', '-safe', '0'],
        ...['-protocol_whitelist', `pipe,rtp,tcp,${rtsp}`],
        ...['-probesize', String(PROBE_BYTES)],
      ],
      url: 'pipe:0',
      stdin: this.#ffconcat(plan),
    };
  }

  #ffconcat({ arrival = false, rate = null, sound = false }: InputPlan): string {
    const frames = rate === null ? 0 : (TIMEOUT_FRAMES * 1e6) / rate;
    return [
      'ffconcat version 1.0',
      `file '${this.url()}'`,
      'option rtsp_transport tcp',
      `option allowed_media_types ${sound ? 'video+audio' : 'video'}`,
      `option probesize ${PROBE_BYTES}`,
      `option timeout ${Math.round(Math.max(TIMEOUT_US, frames))}`,
      ...(arrival ? ['option use_wallclock_as_timestamps 1'] : []),
      '',
    ].join('\n');
  }

  /** It is asked once: some cameras take one session at a time. Its redirects and its streams are listed meanwhile. */
  async probe(run: RunFfmpeg, sound = false): Promise<SourceFacts> {
    const options = { sound, level: 'level+info', timeoutMs: DESCRIBED_MS };
    const streams = await run(streamsCommand(this, options));
    if (refusedDecoderIn(streams.stderr) !== undefined) {
      const beside = besideRefused(streams.stderr);
      if (beside !== undefined) return beside;
    }
    const facts = parseStreams((await expectOutput(run, this, streams)).stdout);
    // Without a picture it has no size.
    if (facts.size === null) throw probeFailed('stream-silent');
    return facts;
  }

  chosenBy(): this {
    return this;
  }

  refine(cause: Cause): Cause {
    return cause === 'credentials-refused' && this.credentials === null ? 'credentials-missing' : cause;
  }

  /** A camera that refuses user and password is asked once more what login it wants. */
  async diagnoseProbe({ code, stderr }: FfmpegResult, run: RunFfmpeg): Promise<Cause | undefined> {
    const cause = diagnose(plainComplaintsIn(stderr), this);
    // Killed for its time: a camera that accepts and then keeps it waiting.
    if (cause === undefined && code === null) return 'host-silent';
    if (cause !== 'credentials-refused') return cause;
    return isUnanswerable((await run(challengeCommand(this))).stderr) ? 'login-unsupported' : cause;
  }
}

function parse(rest: string, given: string, lan: readonly string[]): RtspSource {
  const scheme = given === 'rtsps' ? 'rtsps' : 'rtsp';
  const { credentials, authority, path, doubt } = splitRtsp(scheme, rest);
  const isWhole = isAuthority(authority) && !path.startsWith('?');
  const isAllowed = (each: string) =>
    isAuthority(each) && lan.some((entry) => isListed(entry, addressOf({ scheme, authority: each })));
  if (doubt !== undefined && !(isWhole && isAllowed(authority))) {
    const how = written(doubt.character);
    if (isAllowed(doubt.authority)) throw new CaptureError('SOURCE_SYNTAX', how);
    // What looks like the host may be a piece of the password: it is not shown.
    throw new CaptureError(
      isWhole ? 'SOURCE_UNLISTED' : 'SOURCE_SYNTAX',
      `the host is malformed or not among the listed LAN hosts; if user and password end at the last @, ${how}`,
    );
  }
  if (!isWhole) {
    throw new CaptureError(
      'SOURCE_SYNTAX',
      'the host or port is malformed: write HOST/PATH or HOST:PORT/PATH, an IPv6 address in brackets',
    );
  }
  if (!isAllowed(authority)) {
    throw new CaptureError('SOURCE_UNLISTED', `${authority} is not among the listed LAN hosts`);
  }
  return new RtspSource({ scheme, credentials, authority, path: path || '/' });
}

export const rtsp: SourceKind<RtspSource> = {
  schemes: ['rtsp', 'rtsps'],
  traits: TRAITS,
  help: {
    form: 'rtsp[s]://[USER:PASSWORD@]HOST[:PORT]/PATH',
    lines: [
      'a camera on the network, over TCP; its host has to be listed with --lan. In user and password write @ as %40, / as',
      '%2F, ? as %3F, # as %23, a space as %20, and what is not ASCII as its bytes in UTF-8 (ü as %C3%BC). Give it by',
      '--source - to keep the password out of the command line.',
    ],
    example: "--source 'rtsp://eve:p%40ss@192.168.1.20:554/stream1' --lan 192.168.1.20",
  },
  parse,
};
