import { concat, fromBase64Url, toBase64Url, u32 } from './bytes.ts';
import { PUBLIC_KEY_LENGTH } from './curves.ts';
import { CryptoError } from './errors.ts';
import { FieldReader } from './fields.ts';
import { DIGEST_LENGTH } from './header.ts';

/**
 * What an owner gives the server so that it lets one camera in (docs/reference/format.md, "Claim"): `claim:` and the base64url
 * of token hash, expiry and owner. It holds no secret.
 */
export interface Claim {
  /** SHA-256 of the claim token, 32 bytes. */
  readonly tokenHash: Uint8Array;
  /** Seconds since 1970. */
  readonly expires: number;
  /** Ed25519 identity of the owner, 32 bytes. */
  readonly owner: Uint8Array;
}

const PREFIX = 'claim:';
const LENGTH = DIGEST_LENGTH + 4 + PUBLIC_KEY_LENGTH;

export function writeClaim({ tokenHash, expires, owner }: Claim): string {
  return PREFIX + toBase64Url(concat(tokenHash, u32(expires), owner));
}

/** Reads a claim; blanks around it do not count. @throws CryptoError DOCUMENT_MALFORMED. */
export function parseClaim(text: string): Claim {
  const line = text.slice(0, 4 * LENGTH).trim();
  const bytes = line.startsWith(PREFIX) ? fromBase64Url(line.slice(PREFIX.length)) : undefined;
  if (bytes?.length !== LENGTH) {
    throw new CryptoError('DOCUMENT_MALFORMED', `a claim is ${PREFIX} and ${LENGTH} bytes of base64url`);
  }
  const fields = new FieldReader(bytes);
  return {
    tokenHash: fields.raw(DIGEST_LENGTH),
    expires: fields.u32(),
    owner: fields.raw(PUBLIC_KEY_LENGTH),
  };
}
