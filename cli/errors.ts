/** Why a command could not do its work, with the way out in the message. */
export type CommandErrorCode =
  | 'USAGE'
  /** No camera waits to be accepted. */
  | 'PAIRING_MISSING'
  | 'CLAIM_EXPIRED'
  | 'CLAIM_AMBIGUOUS'
  | 'CAMERA_REVOKED'
  /** It was not there to be asked. */
  | 'CAMERA_OFFLINE'
  | 'KEY_MALFORMED'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'FILE_EXISTS';

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: CommandErrorCode;

  constructor(code: CommandErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
