import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Published vectors, of test/vectors/published/. Byte strings in them are hexadecimal. */
export function published<T>(name: string): T {
  const path = join(import.meta.dirname, `../vectors/published/${name}.json`);
  return JSON.parse(readFileSync(path, 'utf8'));
}

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** The bytes with one bit flipped. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const altered = Uint8Array.from(bytes);
  altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
  return altered;
}
