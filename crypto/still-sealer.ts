import { u32 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import type { DeviceSigner, SealingPrimitives } from './primitives.ts';
import {
  encodeStillHeader,
  MAX_PICTURE_LENGTH,
  MAX_STILLS_PER_SESSION,
  PICTURE_LENGTH_LENGTH,
  paddedLength,
  signStill,
} from './still.ts';
import { deriveStillKey } from './still-key.ts';

const TAG_LENGTH = 16;

export interface StillSession {
  /** Camera id, 20 bytes. */
  readonly camera: Uint8Array;
  readonly sessionHash: Uint8Array;
  /** Not copied: whoever wipes it ends the sealer first. */
  readonly secret: Uint8Array;
}

/** Seals the stills of one session. A number is consumed before its still is sealed, so that no key is used twice. */
export class StillSealer {
  readonly #primitives: SealingPrimitives;
  readonly #signer: DeviceSigner;
  #session: StillSession | undefined;
  #number = 0;

  constructor(session: StillSession, primitives: SealingPrimitives, signer: DeviceSigner) {
    this.#session = session;
    this.#primitives = primitives;
    this.#signer = signer;
  }

  /** False once the session has ended or has as many stills as it may. */
  get open(): boolean {
    return this.#session !== undefined && this.#number < MAX_STILLS_PER_SESSION;
  }

  /**
   * @param picture JPEG, at most MAX_PICTURE_LENGTH bytes. @param timeMs when it was captured.
   * @throws CryptoError SEALER_ENDED, STILL_MALFORMED for a picture too long.
   */
  seal(picture: Uint8Array, timeMs: number): Uint8Array {
    const session = this.#session;
    if (session === undefined || !this.open) throw new CryptoError('SEALER_ENDED', 'no more stills here');
    if (picture.length > MAX_PICTURE_LENGTH) {
      throw new CryptoError(
        'STILL_MALFORMED',
        `a picture of ${picture.length} bytes is too long for a still`,
      );
    }
    const { camera, sessionHash, secret } = session;
    const header = encodeStillHeader({ camera, sessionHash, number: this.#number++, timeMs });
    const { key, nonce } = deriveStillKey(secret, header, this.#primitives);
    const plaintext = new Uint8Array(paddedLength(picture.length));
    plaintext.set(u32(picture.length));
    plaintext.set(picture, PICTURE_LENGTH_LENGTH);
    const sealed = new Uint8Array(plaintext.length + TAG_LENGTH);
    this.#primitives.aesGcmSealInto(key, nonce, header, plaintext, sealed, 0);
    key.fill(0);
    plaintext.fill(0);
    return signStill(header, sealed, this.#signer);
  }

  end(): void {
    this.#session = undefined;
  }
}
