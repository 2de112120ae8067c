import { u32 } from './bytes.ts';
import { CryptoError } from './errors.ts';
import type { DeviceSigner, SealingPrimitives } from './primitives.ts';
import {
  encodeSnapshotHeader,
  MAX_PICTURE_LENGTH,
  MAX_SNAPSHOTS_PER_SESSION,
  PICTURE_LENGTH_LENGTH,
  paddedLength,
  signSnapshot,
} from './snapshot.ts';
import { deriveSnapshotKey } from './snapshot-key.ts';

const TAG_LENGTH = 16;

export interface SnapshotSession {
  /** Camera id, 20 bytes. */
  readonly camera: Uint8Array;
  readonly sessionHash: Uint8Array;
  /** Not copied: whoever wipes it ends the sealer first. */
  readonly secret: Uint8Array;
}

/** Seals the snapshots of one session. A number is consumed before its snapshot is sealed, so that no key is used twice. */
export class SnapshotSealer {
  readonly #primitives: SealingPrimitives;
  readonly #signer: DeviceSigner;
  #session: SnapshotSession | undefined;
  #number = 0;

  constructor(session: SnapshotSession, primitives: SealingPrimitives, signer: DeviceSigner) {
    this.#session = session;
    this.#primitives = primitives;
    this.#signer = signer;
  }

  /** False once the session has ended or has as many snapshots as it may. */
  get open(): boolean {
    return this.#session !== undefined && this.#number < MAX_SNAPSHOTS_PER_SESSION;
  }

  /**
   * @param picture JPEG, at most MAX_PICTURE_LENGTH bytes. @param timeMs when it was captured.
   * @throws CryptoError SEALER_ENDED, SNAPSHOT_MALFORMED for a picture too long.
   */
  seal(picture: Uint8Array, timeMs: number): Uint8Array {
    const session = this.#session;
    if (session === undefined || !this.open) throw new CryptoError('SEALER_ENDED', 'no more snapshots here');
    if (picture.length > MAX_PICTURE_LENGTH) {
      throw new CryptoError(
        'SNAPSHOT_MALFORMED',
        `a picture of ${picture.length} bytes is too long for a snapshot`,
      );
    }
    const { camera, sessionHash, secret } = session;
    const header = encodeSnapshotHeader({ camera, sessionHash, number: this.#number++, timeMs });
    const { key, nonce } = deriveSnapshotKey(secret, header, this.#primitives);
    const plaintext = new Uint8Array(paddedLength(picture.length));
    plaintext.set(u32(picture.length));
    plaintext.set(picture, PICTURE_LENGTH_LENGTH);
    const sealed = new Uint8Array(plaintext.length + TAG_LENGTH);
    this.#primitives.aesGcmSealInto(key, nonce, header, plaintext, sealed, 0);
    key.fill(0);
    plaintext.fill(0);
    return signSnapshot(header, sealed, this.#signer);
  }

  end(): void {
    this.#session = undefined;
  }
}
