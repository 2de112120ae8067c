/** Every way the spool can refuse; closed, so that a caller may switch over it. */
export type SpoolErrorCode =
  /** Another running process owns the directory. */
  | 'SPOOL_LOCKED'
  /** The spool was closed, or the segment has ended: nothing more is taken. */
  | 'SPOOL_CLOSED'
  /** The offset is not where a record begins, or what stood there was acknowledged and freed. */
  | 'SPOOL_OFFSET'
  /** The disk gave back other bytes than were written; the rest of the segment will be dropped if it does so again. */
  | 'SPOOL_DAMAGED';

/** A refusal by the spool. Failures of the disk itself are HostErrors. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError';
  readonly code: SpoolErrorCode;

  constructor(code: SpoolErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
