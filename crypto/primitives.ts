/**
 * The primitives this room stands on, passed in: Node's on the camera and the command line
 * (primitives-node.ts), WebCrypto's in the browser. None of the room's other files reaches for a cipher.
 */

type Awaitable<T> = T | Promise<T>;

/** What opening and verifying needs. A browser's are asynchronous, so callers await them. */
export interface OpeningPrimitives {
  sha256(...parts: readonly Uint8Array[]): Awaitable<Uint8Array>;
  /** HKDF-SHA256 with an empty salt (RFC 5869). */
  hkdf(secret: Uint8Array, info: Uint8Array, length: number): Awaitable<Uint8Array>;
  /**
   * AES-128-GCM (NIST SP 800-38D) with a 16-byte tag at the end of `sealed`.
   * Undefined when the tag does not fit.
   */
  aesGcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    sealed: Uint8Array,
  ): Awaitable<Uint8Array | undefined>;
  /** ECDSA P-256 with SHA-256; `point` uncompressed (65 bytes), `signature` r ‖ s (64 bytes). */
  ecdsaVerify(point: Uint8Array, message: Uint8Array, signature: Uint8Array): Awaitable<boolean>;
  /** Ed25519 (RFC 8032). Callers use curves.ts, which asks two implementations. */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Awaitable<boolean>;
  /** CRC-32 of ISO 3309, as in zlib, continued from `seed`. */
  crc32(data: Uint8Array, seed?: number): number;
}

/** What the camera needs to seal: synchronous, so that a record is sealed the moment it exists. */
export interface SealingPrimitives {
  random(length: number): Uint8Array;
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  hkdf(secret: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** Writes ciphertext ‖ tag (plaintext's length + 16 bytes) into `out` from `at` on. */
  aesGcmSealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    plaintext: Uint8Array,
    out: Uint8Array,
    at: number,
  ): void;
  crc32(data: Uint8Array, seed?: number): number;
}

/** Signs with the camera's device key: ECDSA P-256, SHA-256, r ‖ s (64 bytes). */
export interface DeviceSigner {
  /** The public key as an uncompressed point, 65 bytes. */
  readonly point: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}
