import * as v from 'valibot';
import { fromUtf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { bracketed, canonicalHost } from './host-name.ts';

/** Of an origin, bytes. */
export const MAX_ORIGIN_LENGTH = 250;
const HTTPS_PORT = 443;
const GIVEN = /^https:\/\/(\[[^\]/?#@\\]*\]|[^[\]/?#@\\:]*)(?::(\d{1,5}))?$/i;

/** Whether a text is the origin of a server, `https://HOST[:PORT]`, in the one spelling of RFC 6454 section 6.2. */
export function isOrigin(text: string): boolean {
  return text.startsWith('https://') && URL.canParse(text) && new URL(text).origin === text;
}

/** An origin in a document: https, a host, a port if it is not 443; nothing else. */
export const Origin = v.pipe(v.string(), v.maxLength(300), v.check(isOrigin));

/** The origin that a field holds; undefined when it holds none. */
export function originOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_ORIGIN_LENGTH || !bytes.every((byte) => byte > 0x20 && byte < 0x7f))
    return undefined;
  const text = fromUtf8(bytes);
  return isOrigin(text) ? text : undefined;
}

/** The origin of a server, in its one spelling. @throws CryptoError KEY_MALFORMED for a host that is none. */
export function originAt(host: string, port: number): string {
  return `https://${bracketed(canonicalHost(host))}${port === HTTPS_PORT ? '' : `:${port}`}`;
}

/**
 * The origin that a person gives, in its one spelling: the host as canonicalHost has it, no port where it is 443.
 * @throws CryptoError KEY_MALFORMED for anything but `https://HOST[:PORT]`.
 */
export function canonicalOrigin(text: string): string {
  const [, host, port = `${HTTPS_PORT}`] = GIVEN.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new CryptoError('KEY_MALFORMED', 'a server is given as https://HOST[:PORT]');
  }
  return originAt(host, Number(port));
}

/** What is dialled for an origin: host, as a certificate has to name it, and port. @throws CryptoError KEY_MALFORMED. */
export function addressOf(origin: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(origin);
  return { host: canonicalHost(hostname), port: port === '' ? HTTPS_PORT : Number(port) };
}
