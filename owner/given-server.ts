import { CryptoError } from '../crypto/errors.ts';
import { DIGEST_LENGTH } from '../crypto/header.ts';
import { canonicalOrigin } from '../crypto/origin.ts';
import { pinBytes } from '../crypto/pin.ts';
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

/** The pins that a person gives, in their order. @throws OwnerError USAGE unless they are one or two different ones. */
export function givenPins(texts: readonly string[]): Uint8Array<ArrayBuffer>[] {
  if (texts.length < 1 || texts.length > 2 || texts[0] === texts[1]) {
    throw new OwnerError('USAGE', 'give one or two --pin: the active one, and the backup');
  }
  return texts.map((text) => {
    const pin = pinBytes(text);
    if (pin !== undefined) return pin;
    throw new OwnerError(
      'USAGE',
      '--pin takes what the server shows (oriel server pins show DIR): sha256/ and 44 characters of base64, not of zeros',
    );
  });
}

/** As setup codes and pin statements have it: zeros for a backup pin that is not there. */
export function pinFields([activePin, backupPin]: readonly Uint8Array[]) {
  const none = new Uint8Array(DIGEST_LENGTH);
  return { activePin: activePin ?? none, backupPin: backupPin ?? none };
}
