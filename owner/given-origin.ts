import { CryptoError } from '../crypto/errors.ts';
import { canonicalOrigin } from '../crypto/origin.ts';
import { OwnerError } from './errors.ts';

/**
 * The server that a person gives, in its one spelling.
 * @param code of the refusal.
 * @throws OwnerError USAGE; CryptoError SETUP_CODE_MALFORMED, PINS_MALFORMED.
 */
export function givenOrigin(text: string, code: 'USAGE' | 'SETUP_CODE_MALFORMED' | 'PINS_MALFORMED'): string {
  try {
    return canonicalOrigin(text);
  } catch (cause) {
    const message = `--server: ${(cause as Error).message}`;
    throw code === 'USAGE' ? new OwnerError(code, message, cause) : new CryptoError(code, message, cause);
  }
}
