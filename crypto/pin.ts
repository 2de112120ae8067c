import * as v from 'valibot';
import { toBase64Url } from './bytes.ts';
import { DIGEST_LENGTH } from './header.ts';

/** A pin as text: `sha256/` and the base64 of SHA-256 over a SubjectPublicKeyInfo (RFC 7469 section 2.4). */

const PREFIX = 'sha256/';

/** Its form; {@link pinBytes} judges the rest. */
export const Pin = v.pipe(v.string(), v.regex(/^sha256\/[A-Za-z0-9+/]{43}=$/));

/** @param pin 32 bytes. */
export function pinText(pin: Uint8Array): string {
  return `${PREFIX}${toBase64Url(pin).replaceAll('-', '+').replaceAll('_', '/')}=`;
}

/** The 32 bytes; undefined for anything but a pin in its canonical spelling, and for zeros, which mean that there is none. */
export function pinBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!v.is(Pin, text)) return undefined;
  const binary = atob(text.slice(PREFIX.length));
  const pin = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const isPin = pin.length === DIGEST_LENGTH && pin.some((byte) => byte !== 0);
  return isPin && pinText(pin) === text ? pin : undefined;
}
