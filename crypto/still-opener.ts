import { equal } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { idText } from './header.ts';
import type { OpenedSession } from './opener.ts';
import type { OpeningPrimitives } from './primitives.ts';
import {
  checkStillSignature,
  type ParsedStill,
  PICTURE_LENGTH_LENGTH,
  paddedLength,
  parseStill,
  type StillHeader,
} from './still.ts';
import { deriveStillKeyAsync } from './still-key.ts';

export interface OpenedStill {
  readonly header: StillHeader;
  /** JPEG, as the camera sealed it: whether it is one is for its reader to find out. */
  readonly picture: Uint8Array;
}

/**
 * Opens a still of the session.
 * @throws CryptoError: STILL_MALFORMED, HEADER_MALFORMED, STILL_FOREIGN, CAMERA_FOREIGN, STILL_FORGED.
 */
export async function openStill(
  bytes: Uint8Array,
  session: OpenedSession,
  primitives: OpeningPrimitives,
): Promise<OpenedStill> {
  const still = parseStill(bytes);
  const { header } = still;
  if (!equal(header.sessionHash, session.header.hash)) {
    throw new CryptoError('STILL_FOREIGN', 'still names another session');
  }
  if (idText(header.camera) !== session.header.camera) {
    throw new CryptoError('CAMERA_FOREIGN', "still names another camera than its session's");
  }
  await checkStillSignature(still, session.header.point, primitives);
  return { header, picture: await unsealed(still, session.secret, primitives) };
}

async function unsealed(
  { headerBytes, sealed }: ParsedStill,
  secret: Uint8Array,
  primitives: OpeningPrimitives,
): Promise<Uint8Array> {
  const { key, nonce } = await deriveStillKeyAsync(secret, headerBytes, primitives);
  const plaintext = await primitives.aesGcmOpen(key, nonce, headerBytes, sealed);
  if (plaintext === undefined) throw new CryptoError('STILL_FORGED', 'still: its tag does not fit');
  const length = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.length).getUint32(0);
  const end = PICTURE_LENGTH_LENGTH + length;
  const padded =
    paddedLength(length) === plaintext.length && plaintext.subarray(end).every((byte) => byte === 0);
  if (!padded) throw new CryptoError('STILL_MALFORMED', 'still: its padding is not as it has to be');
  return plaintext.slice(PICTURE_LENGTH_LENGTH, end);
}
