/** Why a mirror keeps what it has, beside the refusals of ota/errors.ts. Closed. */
export type MirrorErrorCode =
  /** The disk has no room for it beside the footage. */
  | 'STORAGE_FULL'
  /** The metadata names more bytes than a mirror may hold. */
  | 'MIRROR_OVERSIZED'
  /** The repository's roots do not include the one that was given. */
  | 'ROOT_FOREIGN'
  /** The check took longer than it may; the next one goes on from there. */
  | 'CHECK_OVERDUE'
  /** Something else failed; the log has it. */
  | 'MIRROR_FAILED';

export class MirrorError extends Error {
  override readonly name = 'MirrorError';
  readonly code: MirrorErrorCode;

  constructor(code: MirrorErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
