import { canonicalHost } from '../../../crypto/host-name.ts';
import { CaptureError } from '../errors.ts';
import type { SourceAddress } from './interface.ts';

/** The parts of an `rtsp:` URI (RFC 2326 section 3.2, RFC 3986 section 3.2), none of them judged but for its characters. */
export interface RtspParts {
  /** `user:password` as written, percent-encoded; a secret. */
  readonly credentials: string | null;
  /** Host and port as written, in lower case. */
  readonly authority: string;
  /** Path and query, with the leading slash. */
  readonly path: string;
  /**
   * If user and password end at the last `@` of all: what stands raw in them, and the host and port behind them. Undefined
   * where there is no such `@`.
   */
  readonly doubt: { readonly character: string; readonly authority: string } | undefined;
}

/** RFC 3986's userinfo, and brackets. */
const USERINFO = /[^A-Za-z0-9\-._~!$&'()*+,;=:%[\]]/u;
/** RFC 3986's path and query, without the quote, which ffconcat reads as the end of a string. */
const PATH = /[^A-Za-z0-9\-._~!$&()*+,;=:%[\]/?@]/u;
/** ffmpeg cuts off what is longer (`auth[128]` in libavformat/rtsp.c), and the camera then refuses it. */
const CREDENTIALS_LIMIT = 127;
const CONTROL = /%(?:[01][0-9a-f]|7f)/i;

/**
 * @param rest the URI after its scheme and colon
 * @throws CaptureError SOURCE_SYNTAX, which names a character at most of user and password
 */
export function splitRtsp(scheme: string, rest: string): RtspParts {
  if (!rest.startsWith('//')) {
    throw malformed(`a network camera is ${scheme}://[user:password@]host[:port]/path`);
  }
  const text = rest.slice(2);
  const end = ((found) => (found === -1 ? text.length : found))(text.search(/[/?#]/));
  const at = text.lastIndexOf('@', end);
  // ffconcat reads a quote as the end of a string; its escape means the same.
  const credentials = at === -1 ? null : text.slice(0, at).replaceAll("'", '%27');
  checkCredentials(credentials);
  const path = text.slice(end);
  const doubt = doubtOf(text, end);
  const odd = PATH.exec(path)?.[0];
  if (odd !== undefined) {
    // Where the user or the password is meant to hold it, the path is a piece of them.
    throw malformed(written(odd, doubt === undefined ? 'the path' : 'user, password or path'));
  }
  return { credentials, authority: text.slice(at + 1, end).toLowerCase(), path, doubt };
}

function doubtOf(text: string, end: number): RtspParts['doubt'] {
  const last = text.lastIndexOf('@');
  const character = /[@/?#]/.exec(text.slice(0, Math.max(last, 0)))?.[0];
  if (last <= end || character === undefined) return undefined;
  return { character, authority: /^[^/?#]*/.exec(text.slice(last + 1))?.[0].toLowerCase() ?? '' };
}

function checkCredentials(credentials: string | null): void {
  if (credentials === null) return;
  if (credentials === '') throw malformed('there is no user before the @: leave the @ out, or give both');
  const odd = USERINFO.exec(credentials)?.[0];
  if (odd !== undefined) throw malformed(written(odd, 'user or password'));
  if (CONTROL.test(credentials)) throw malformed('user and password hold no control characters');
  if (credentials.length > CREDENTIALS_LIMIT) {
    throw malformed(
      `user and password, percent-encoded, are at most ${CREDENTIALS_LIMIT} characters long: shorten the password`,
    );
  }
}

/** How a character of the user or the password has to be written, as a sentence. */
export function written(character: string, place = 'user or password'): string {
  const name = character === ' ' ? 'a space' : character;
  const escapes = [...Buffer.from(character, 'utf8')].map(
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return `${name} in ${place} is written ${escapes.join('')}`;
}

const malformed = (message: string) => new CaptureError('SOURCE_SYNTAX', message);

const PORTS = { rtsp: 554, rtsps: 322 } as const;
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)(:(\d{1,5}))?$/;

/** Whether it is `host` or `host:port`, in lower case. */
export function isAuthority(text: string): boolean {
  const host = HOST.exec(text);
  return host !== null && Number(host[4] ?? 1) <= 65535;
}

/** Host, in its one spelling, and port that a source is dialled at. */
export function addressOf(source: { scheme: keyof typeof PORTS; authority: string }): SourceAddress {
  const { scheme, authority } = source;
  const [, host = authority, , , port] = HOST.exec(authority) ?? [];
  return { host: spelled(host), port: port === undefined ? PORTS[scheme] : Number(port) };
}

/** @param entry a host on any port, or `host:port`. */
export function isListed(entry: string, { host, port }: SourceAddress): boolean {
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
