/** Why footage cannot be read, opened or written. Closed: a caller may switch over it. */
export type FootageErrorCode =
  /** No directory of a camera where footage is said to be. */
  | 'FOOTAGE_MISSING'
  /** A session's directory without its header. */
  | 'SESSION_MISSING'
  | 'CAMERA_AMBIGUOUS'
  | 'CAMERA_UNKNOWN'
  /** What the camera sealed is no media that plays. */
  | 'MEDIA_MALFORMED'
  /** A picture is none, whoever sealed it. */
  | 'PICTURE_MALFORMED'
  | 'SHEET_TOO_LARGE'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE';

/** The message names paths, never a secret; `cause` is the platform's own error, or the one of crypto/ or media/. */
export class FootageError extends Error {
  override readonly name = 'FootageError';
  readonly code: FootageErrorCode;

  constructor(code: FootageErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
