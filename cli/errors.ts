/** Why a command could not do its work, with the way out in the message. */
export type CommandErrorCode =
  | 'USAGE'
  /** The person who was to sign said no. */
  | 'SIGNING_DECLINED'
  /** No camera waits to be accepted. */
  | 'PAIRING_MISSING'
  | 'CLAIM_EXPIRED'
  | 'CLAIM_AMBIGUOUS'
  | 'CAMERA_AMBIGUOUS'
  | 'CAMERA_UNKNOWN'
  | 'CAMERA_REVOKED'
  /** It was not there to be asked. */
  | 'CAMERA_OFFLINE'
  /** It was asked, and did not reply. */
  | 'CAMERA_SILENT'
  | 'SERVER_DOWN'
  /** The machine's clock is certainly wrong, and what is made would carry its time. */
  | 'CLOCK_WRONG'
  /** The server gives cameras a directory, and follows no maker. */
  | 'UPDATES_NOT_FOLLOWED'
  | 'CHECK_UNFINISHED'
  | 'KEY_MALFORMED'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'FILE_EXISTS'
  | 'FILE_BUSY';

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: CommandErrorCode;

  constructor(code: CommandErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
