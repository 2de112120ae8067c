import { concat } from './bytes.ts';
import type { OpeningPrimitives } from './primitives.ts';

/** SHA-256's block, bytes (FIPS 180-4). */
const BLOCK_LENGTH = 64;

/** HMAC-SHA256 (RFC 2104). @param key at most 64 bytes. @throws RangeError for a longer one. */
export async function hmacSha256(
  key: Uint8Array,
  message: Uint8Array,
  { sha256 }: Pick<OpeningPrimitives, 'sha256'>,
): Promise<Uint8Array> {
  if (key.length > BLOCK_LENGTH) throw new RangeError(`a key of ${key.length} bytes is too long`);
  const padded = concat(key, new Uint8Array(BLOCK_LENGTH - key.length));
  const inner = await sha256(
    padded.map((byte) => byte ^ 0x36),
    message,
  );
  return sha256(
    padded.map((byte) => byte ^ 0x5c),
    inner,
  );
}

/** Whether two tags of equal length are the same, in a time that does not tell where they differ. */
export function equalTags(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
