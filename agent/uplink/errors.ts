import type { Refusal } from '../../wire/refusal.ts';

export type UplinkErrorCode =
  /** The connection broke off. */
  | 'CONNECTION_LOST'
  /** The server did not answer in time, or stopped answering while bytes were outstanding. */
  | 'STALLED'
  /** The answer is not what docs/protocol.md allows. */
  | 'PROTOCOL_VIOLATED'
  /** The server refused; `refusal` says why. */
  | 'REFUSED';

/** A failure to hand footage over. Dialling fails with HostError. */
export class UplinkError extends Error {
  override readonly name = 'UplinkError';
  readonly code: UplinkErrorCode;
  readonly refusal: Refusal | undefined;

  constructor(code: UplinkErrorCode, message: string, detail: { cause?: unknown; refusal?: Refusal } = {}) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.refusal = detail.refusal;
  }
}

/** What went wrong, for people and statistics, whoever threw it. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  const { refusal, reason, code, message } = Object(error) as {
    readonly refusal?: Refusal;
    readonly reason?: string;
    readonly code?: string;
    readonly message?: string;
  };
  return { code: refusal?.code ?? reason ?? code ?? 'UNKNOWN', message: message ?? String(error) };
}
