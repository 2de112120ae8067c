import { CryptoError } from './errors.ts';

/** What a server certificate may name: a DNS name, or an IP address as 4 or 16 bytes. */
export type HostName =
  | { readonly kind: 'dns'; readonly name: string }
  | { readonly kind: 'ip'; readonly bytes: Uint8Array };

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const DNS_NAME = new RegExp(`^(?=.{1,253}$)(?:${LABEL}\\.)*${LABEL}$`);
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** Reads a DNS name (A-labels, no wildcard) or an IPv4 or IPv6 address. @throws CryptoError KEY_MALFORMED. */
export function parseHostName(text: string): HostName {
  if (IPV4.test(text)) return { kind: 'ip', bytes: ipv4Bytes(text) };
  if (text.includes(':')) return { kind: 'ip', bytes: ipv6Bytes(text) };
  const name = text.toLowerCase();
  if (!DNS_NAME.test(name) || /(?:^|\.)\d+$/.test(name)) throw malformed(text);
  return { kind: 'dns', name };
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
