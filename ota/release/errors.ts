/** Why a maker's command could not do its work, with the way out in the message. */
export type ReleaseErrorCode =
  | 'USAGE'
  /** The person who was to sign said no. */
  | 'SIGNING_DECLINED'
  /** The machine's clock is certainly wrong, and what is made would carry its time. */
  | 'CLOCK_WRONG'
  | 'KEY_MALFORMED';

export class ReleaseError extends Error {
  override readonly name = 'ReleaseError';
  readonly code: ReleaseErrorCode;

  constructor(code: ReleaseErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
