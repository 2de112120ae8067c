import { canonicalHost } from '../../crypto/host-name.ts';
import { CaptureError } from './errors.ts';
import { splitRtsp, written } from './sources/rtsp-uri.ts';

/** Where pictures come from. */
export type Source = FileSource | TestSource | V4l2Source | RtspSource;

/** A file played in real time, once or over and over. */
export interface FileSource {
  kind: 'file';
  path: string;
  loop: boolean;
}

/** A test pattern with a painted running clock and frame number. */
export interface TestSource {
  kind: 'test';
  size: FrameSize;
  /** Frames a second, not always whole. */
  rate: number;
}

/** A local camera; null is left to the driver. */
export interface V4l2Source {
  kind: 'v4l2';
  device: string;
  size: FrameSize | null;
  rate: number | null;
  format: string | null;
}

/** A camera on the owner's network, over TCP. */
export interface RtspSource {
  kind: 'rtsp';
  scheme: 'rtsp' | 'rtsps';
  /** `user:password` as written in the URI, percent-encoded; a secret. */
  credentials: string | null;
  /** Host and port as written, in lower case. */
  authority: string;
  /** Path and query, with the leading slash. */
  path: string;
}

export interface RtspAddress {
  readonly host: string;
  readonly port: number;
}

export interface FrameSize {
  width: number;
  height: number;
}

/** Longest source URI, in characters. */
export const SOURCE_LIMIT = 1024;

const FRAME_SIDE = { min: 64, max: 4096 };
const RATE = { min: 1, max: 120 };
const TEST_SIZE: FrameSize = { width: 1280, height: 720 };
const TEST_RATE = 25;

const DEVICE = /^\/dev\/(video\d{1,3}|v4l\/by-(id|path)\/[\w.:+-]{1,128})$/;
const PIXEL_FORMAT = /^[a-z0-9_]{1,16}$/;
const RTSP_PORTS = { rtsp: 554, rtsps: 322 } as const;
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(:(\d{1,5}))?$/;

/**
 * Parses `file:PATH[?loop|?once]`, `test:[?size=WxH&rate=N]`, `v4l2:/dev/videoN[?size=&rate=&format=]` or
 * `rtsp[s]://[user:password@]host[:port]/path`.
 * @param lan hosts (`host` or `host:port`, in any spelling) the owner listed; no other is dialled
 * @throws CaptureError SOURCE_*; never with a password in it
 */
export function parseSource(uri: string, lan: readonly string[]): Source {
  if (uri.length > SOURCE_LIMIT) {
    throw new CaptureError('SOURCE_SYNTAX', `a source is at most ${SOURCE_LIMIT} characters long`);
  }
  if (/\p{Cc}/u.test(uri)) {
    throw new CaptureError('SOURCE_SYNTAX', 'a source holds no control characters');
  }
  const colon = uri.indexOf(':');
  const scheme = uri.slice(0, Math.max(colon, 0));
  const rest = uri.slice(colon + 1);
  switch (scheme) {
    case 'file':
      return parseFile(rest);
    case 'test':
      return parseTest(rest);
    case 'v4l2':
      return parseV4l2(rest);
    case 'rtsp':
    case 'rtsps':
      return parseRtsp(scheme, rest, lan);
    default:
      throw new CaptureError('SOURCE_SCHEME', 'a source begins with file:, test:, v4l2:, rtsp: or rtsps:');
  }
}

/** The source as it may be shown and logged: without credentials, and without parameters, which may hold them. */
export function describeSource(source: Source): string {
  switch (source.kind) {
    case 'file':
      return `file:${source.path}${source.loop ? '?loop' : ''}`;
    case 'test':
      return `test:?size=${formatSize(source.size)}&rate=${formatRate(source.rate)}`;
    case 'v4l2':
      return `v4l2:${source.device}`;
    case 'rtsp':
      return `${source.scheme}://${source.authority}${source.path.split(/[?=&;]/, 1)[0]}`;
  }
}

/** The URL to dial, credentials and all: never for argv or a log. */
export function rtspUrl(source: RtspSource): string {
  const userinfo = source.credentials === null ? '' : `${source.credentials}@`;
  return `${source.scheme}://${userinfo}${source.authority}${source.path}`;
}

/** `user:password` as in the URL, null when the source has none. */
export function credentialsOf(source: Source): string | null {
  return source.kind === 'rtsp' ? source.credentials : null;
}

/** Whether it comes to an end, and then is over. */
export const isPlayedOnce = (source: Source): boolean => source.kind === 'file' && !source.loop;

/** Whether its time is that of the world: what it does not send now is gone. */
export const isLive = ({ kind }: Pick<Source, 'kind'>): boolean => kind === 'rtsp' || kind === 'v4l2';

/** The same of one that is not parsed. */
export const isLiveUri = (uri: string): boolean => /^(rtsps?|v4l2):/.test(uri);

/** A rate as ffmpeg takes it: `25`, `12.5`, `30000/1001`. */
export function formatRate(rate: number): string {
  const thousands = (rate * 1001) / 1000;
  const isNtsc = !Number.isInteger(rate) && Math.abs(thousands - Math.round(thousands)) < 1e-6;
  return isNtsc ? `${Math.round(thousands) * 1000}/1001` : String(Number(rate.toFixed(3)));
}

/** `1280x720` */
export function formatSize(size: FrameSize): string {
  return `${size.width}x${size.height}`;
}

/** What ends in `?loop` or `?once` is a name and an option; any other question mark belongs to the name. */
function parseFile(rest: string): FileSource {
  const mark = rest.lastIndexOf('?');
  const last = mark === -1 ? undefined : rest.slice(mark + 1);
  const isOption = last === 'loop' || last === 'once';
  if (last !== undefined && !isOption && !/[./]/.test(last)) {
    throw new CaptureError(
      'SOURCE_OPTION',
      'the options of a file are ?loop and ?once; a name with a question mark takes one of them at its end',
    );
  }
  const path = isOption ? rest.slice(0, mark) : rest;
  const local = path.startsWith('///') ? path.slice(2) : path;
  if (local === '' || local.startsWith('//')) {
    throw new CaptureError('SOURCE_SYNTAX', 'a file source is file:PATH');
  }
  return { kind: 'file', path: local, loop: last === 'loop' };
}

function parseTest(rest: string): TestSource {
  const { body, options } = splitOptions(rest, ['size', 'rate']);
  if (body !== '') {
    throw new CaptureError('SOURCE_SYNTAX', 'the test pattern is test: or test:?size=WIDTHxHEIGHT&rate=N');
  }
  return {
    kind: 'test',
    size: parseSize(options.get('size')) ?? TEST_SIZE,
    rate: parseRate(options.get('rate')) ?? TEST_RATE,
  };
}

function parseV4l2(rest: string): V4l2Source {
  const { body, options } = splitOptions(rest, ['size', 'rate', 'format']);
  if (!DEVICE.test(body) || body.endsWith('/..')) {
    throw new CaptureError('SOURCE_SYNTAX', 'a local camera is v4l2:/dev/videoN or v4l2:/dev/v4l/by-id/NAME');
  }
  const format = options.get('format') ?? null;
  if (format !== null && !PIXEL_FORMAT.test(format)) {
    throw new CaptureError('SOURCE_OPTION', 'format is a pixel or codec name such as h264, mjpeg or yuyv422');
  }
  return {
    kind: 'v4l2',
    device: body,
    size: parseSize(options.get('size')),
    rate: parseRate(options.get('rate')),
    format,
  };
}

function parseRtsp(scheme: 'rtsp' | 'rtsps', rest: string, lan: readonly string[]): RtspSource {
  const { credentials, authority, path, doubt } = splitRtsp(scheme, rest);
  const isWhole = isAuthority(authority) && !path.startsWith('?');
  const isAllowed = (each: string) =>
    isAuthority(each) && lan.some((entry) => isListed(entry, rtspAddress({ scheme, authority: each })));
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
  return { kind: 'rtsp', scheme, credentials, authority, path: path || '/' };
}

function isAuthority(text: string): boolean {
  const host = HOST.exec(text);
  return host !== null && Number(host[4] ?? 1) <= 65535;
}

/** Host, in its one spelling, and port that a source is dialled at. */
export function rtspAddress({ scheme, authority }: Pick<RtspSource, 'scheme' | 'authority'>): RtspAddress {
  const [, host = authority, , , port] = HOST.exec(authority) ?? [];
  return { host: spelled(host), port: port === undefined ? RTSP_PORTS[scheme] : Number(port) };
}

/** @param entry a host on any port, or `host:port`. */
function isListed(entry: string, { host, port }: RtspAddress): boolean {
  const [, name, number] = /^(.+):(\d{1,5})$/.exec(entry) ?? [];
  // An IPv6 address without brackets ends like one with a port.
  if (name === undefined || isHost(entry)) return spelled(entry) === host;
  return spelled(name) === host && Number(number) === port;
}

function isHost(text: string): boolean {
  try {
    canonicalHost(text);
    return true;
  } catch {
    return false;
  }
}

/** What is no host is nobody's but its own. */
const spelled = (host: string) => (isHost(host) ? canonicalHost(host) : host.toLowerCase());

function splitOptions(rest: string, allowed: readonly string[]) {
  const mark = rest.indexOf('?');
  const body = mark === -1 ? rest : rest.slice(0, mark);
  const options = new Map<string, string>();
  for (const pair of mark === -1 ? [] : rest.slice(mark + 1).split('&')) {
    const [name = '', value, ...more] = pair.split('=');
    if (!allowed.includes(name) || value === undefined || more.length > 0 || options.has(name)) {
      throw new CaptureError(
        'SOURCE_OPTION',
        `the options of this source are ${allowed.join(', ')}, each once`,
      );
    }
    options.set(name, value);
  }
  return { body, options };
}

function parseSize(text: string | undefined): FrameSize | null {
  if (text === undefined) {
    return null;
  }
  const [, width, height] = (/^(\d{2,4})x(\d{2,4})$/.exec(text) ?? []).map(Number);
  if (width === undefined || height === undefined || !isFrameSize({ width, height })) {
    throw new CaptureError(
      'SOURCE_OPTION',
      `size is WIDTHxHEIGHT, even numbers from ${FRAME_SIDE.min} to ${FRAME_SIDE.max}`,
    );
  }
  return { width, height };
}

/** Whether H.264 is made of pictures of this size here: both sides even, and neither too small nor too large. */
export const isFrameSize = ({ width, height }: FrameSize) => isFrameSide(width) && isFrameSide(height);

function isFrameSide(pixels: number): boolean {
  return pixels >= FRAME_SIDE.min && pixels <= FRAME_SIDE.max && pixels % 2 === 0;
}

/** Cameras that follow NTSC send 30000/1001 frames a second, and drivers name it so. */
function parseRate(text: string | undefined): number | null {
  if (text === undefined) {
    return null;
  }
  const [, number, over = '1'] = /^(\d{1,6}(?:\.\d{1,3})?)(?:\/(\d{1,4}))?$/.exec(text) ?? [];
  const rate = Number(number) / Number(over);
  if (!(rate >= RATE.min && rate <= RATE.max)) {
    throw new CaptureError(
      'SOURCE_OPTION',
      `rate is frames a second from ${RATE.min} to ${RATE.max}, as in 25, 12.5, 29.97 or 30000/1001`,
    );
  }
  return rate;
}
