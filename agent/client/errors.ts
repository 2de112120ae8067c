import type { Refusal } from '../../wire/refusal.ts';

export type ClientErrorCode =
  /** The connection broke off. */
  | 'CONNECTION_LOST'
  /** The camera has no client certificate yet. */
  | 'CERTIFICATE_MISSING'
  /** The server did not answer in time, or stopped answering while bytes were outstanding. */
  | 'STALLED'
  /** The answer is not what docs/reference/protocol.md allows. */
  | 'PROTOCOL_VIOLATED'
  /** The server refused; `refusal` says why. */
  | 'REFUSED';

/** A failure to hand footage over. Dialling fails with HostError. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly refusal: Refusal | undefined;
  /** How long the refusing server wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ClientErrorCode,
    message: string,
    detail: { cause?: unknown; refusal?: Refusal; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.refusal = detail.refusal;
    this.retryAfterMs = detail.retryAfterMs;
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
