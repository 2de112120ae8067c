/** Why something cannot be done with a viewing key, with the way out in the message. */
export type OwnerErrorCode =
  /** What is asked for does not fit together, or does not fit the key. */
  | 'USAGE'
  /** No camera waits to be accepted. */
  | 'PAIRING_MISSING'
  /** The key, or the server, knows no such camera. */
  | 'CAMERA_UNKNOWN'
  | 'KEY_MALFORMED'
  /** A pairing statement is none. */
  | 'FILE_UNREADABLE';

export class OwnerError extends Error {
  override readonly name = 'OwnerError';
  readonly code: OwnerErrorCode;

  constructor(code: OwnerErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
