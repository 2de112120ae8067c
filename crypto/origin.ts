import { fromUtf8 } from './bytes.ts';

/** Of an origin, bytes. */
export const MAX_ORIGIN_LENGTH = 250;

/** Whether a text is the origin of a server, `https://HOST[:PORT]`, in the one spelling of RFC 6454 section 6.2. */
export function isOrigin(text: string): boolean {
  return text.startsWith('https://') && URL.canParse(text) && new URL(text).origin === text;
}

/** The origin that a field holds; undefined when it holds none. */
export function originOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_ORIGIN_LENGTH || !bytes.every((byte) => byte > 0x20 && byte < 0x7f))
    return undefined;
  const text = fromUtf8(bytes);
  return isOrigin(text) ? text : undefined;
}
