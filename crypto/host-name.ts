import { CryptoError } from './errors.ts';

/** What a server certificate may name: a DNS name, or an IP address as 4 or 16 bytes. */
export type HostName =
  | { readonly kind: 'dns'; readonly name: string }
  | { readonly kind: 'ip'; readonly bytes: Uint8Array };

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const DNS_NAME = new RegExp(`^(?=.{1,253}$)(?:${LABEL}\\.)*${LABEL}$`);
/** Decimal without leading zeros, which others read as octal (RFC 6943 section 3.1.1). */
const OCTET = '(?:0|[1-9]\\d{0,2})';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** Reads a DNS name (A-labels, no wildcard) or an IPv4 or IPv6 address. @throws CryptoError KEY_MALFORMED. */
export function parseHostName(text: string): HostName {
  if (IPV4.test(text)) return { kind: 'ip', bytes: ipv4Bytes(text) };
  if (text.includes(':')) return { kind: 'ip', bytes: ipv6Bytes(text) };
  const name = text.toLowerCase();
  // A last label that is a number makes an address of a name (WHATWG URL, "ends in a number").
  if (!DNS_NAME.test(name) || /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name)) throw malformed(text);
  // An A-label that stands for nothing, which no URL can hold.
  if (URL.parse(`https://${name}/`)?.hostname !== name) throw malformed(text);
  return { kind: 'dns', name };
}

/**
 * A host in its one spelling, by which hosts are compared, written into certificates and dialled: a DNS name in lower case,
 * as A-labels (RFC 5890) and without the dot of the root; an IPv4 address in decimal; an IPv6 address as RFC 5952 has
 * it, without brackets, one that stands for an IPv4 address (`::ffff:192.0.2.1`) as that. A zone (`fe80::1%eth0`) is
 * another on each machine, and refused.
 * @param text with brackets around an IPv6 address, or without.
 * @throws CryptoError KEY_MALFORMED.
 */
export function canonicalHost(text: string): string {
  const bare = /^\[([^[\]]*:[^[\]]*)\]$/.exec(text)?.[1] ?? text;
  const host = parseHostName(bare.includes(':') ? bare : asciiName(bare));
  return host.kind === 'dns' ? host.name : addressText(host.bytes);
}

/** As it stands in a URL: an IPv6 address in brackets. */
export const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);

/** A name without the dot of the root, other letters than ASCII as A-labels (UTS #46, by the URL parser). */
function asciiName(text: string): string {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (/^[\x21-\x7e]*$/.test(name)) return name;
  if (!/^[\p{L}\p{M}\p{N}.-]{1,253}$/u.test(name)) throw malformed(text);
  const ascii = URL.parse(`https://${name}/`)?.hostname ?? '';
  // Digits of other scripts make no address.
  if (IPV4.test(ascii)) throw malformed(text);
  return ascii;
}

function addressText(bytes: Uint8Array): string {
  const mapped = MAPPED_PREFIX.every((byte, at) => bytes[at] === byte);
  if (bytes.length === 4 || mapped) return bytes.subarray(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((bytes[at * 2] ?? 0) * 256 + (bytes[at * 2 + 1] ?? 0)).toString(16),
  );
  return new URL(`https://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function malformed(text: string): CryptoError {
  return new CryptoError(
    'KEY_MALFORMED',
    `${JSON.stringify(text.slice(0, 260))} is neither DNS name nor IP address`,
  );
}

function ipv4Bytes(text: string): Uint8Array {
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) throw malformed(text);
  return Uint8Array.from(parts);
}

/** The URL parser brings the address into its canonical form first (RFC 5952): only `::` is left to fill. */
function ipv6Bytes(text: string): Uint8Array {
  const url = /^[0-9a-f:.]{2,45}$/i.test(text) ? URL.parse(`http://[${text}]/`) : null;
  if (url === null) throw malformed(text);
  const [head = '', tail = ''] = url.hostname.slice(1, -1).split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const filled = [...before, ...new Array(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(filled.flatMap((group) => [group >> 8, group & 255]));
}
