import type { Clock } from '../host/clock.ts';
import { OtaError } from './errors.ts';

/** A repository as seen through whatever reaches it: on a camera the pinned dialer, elsewhere any HTTP client. */

export interface HttpAnswer {
  /** RFC 9110 section 15. */
  readonly status: number;
  /** A header field by its lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body as it arrives. Rejects when the connection ends before the body does. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  /** First byte wanted, for a range to the end (RFC 9110 section 14.1.2); absent for all. */
  readonly from?: number | undefined;
  /** Once it aborts, nothing more is wanted and the connection may go. */
  readonly signal: AbortSignal;
}

/** GET of a path in the repository, such as `metadata/timestamp.json`. */
export type HttpGet = (path: string, request: HttpRequest) => Promise<HttpAnswer>;

export interface TransferLimits {
  /** More than so many bytes are an endless answer. */
  readonly maxBytes: number;
  /** Until the answer's head is there. */
  readonly headMs: number;
  /** In every window of so many milliseconds … */
  readonly windowMs: number;
  /** … at least so many bytes have to arrive. */
  readonly windowBytes: number;
}

export interface TransferEffects {
  readonly get: HttpGet;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

/**
 * GETs a path and hands the answer to `use`, with the body cut off once it is too long or too slow.
 * @throws OtaError FETCH_BROKEN, FETCH_ENDLESS, FETCH_SLOW; what `use` throws; the signal's reason.
 */
export async function transfer<T>(
  { get, clock, signal }: TransferEffects,
  path: string,
  from: number | undefined,
  limits: TransferLimits,
  use: (answer: HttpAnswer) => Promise<T>,
): Promise<T> {
  const cut = new AbortController();
  const stop = AbortSignal.any([cut.signal, signal]);
  const head = new AbortController();
  const late = clock.sleep(limits.headMs, AbortSignal.any([stop, head.signal]));
  late.then(
    () => cut.abort(new OtaError('FETCH_SLOW', `${path}: no answer within ${limits.headMs} ms`)),
    () => undefined,
  );
  try {
    const answer = await unlessStopped(broken(path, get(path, { from, signal: stop })), stop);
    head.abort();
    return await use({ ...answer, body: paced(answer.body, path, limits, clock, cut, stop) });
  } finally {
    cut.abort(new Error('done'));
  }
}

async function* paced(
  body: AsyncIterable<Uint8Array>,
  path: string,
  { maxBytes, windowMs, windowBytes }: TransferLimits,
  clock: TransferEffects['clock'],
  cut: AbortController,
  stop: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  const watch = async () => {
    for (let before = 0; ; before = received) {
      await clock.sleep(windowMs, stop);
      if (received - before < windowBytes) {
        cut.abort(
          new OtaError('FETCH_SLOW', `${path}: fewer than ${windowBytes} bytes came in ${windowMs} ms`),
        );
      }
    }
  };
  watch().catch(() => undefined);
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await unlessStopped(broken(path, chunks.next()), stop);
      if (done) return;
      received += value.length;
      if (received > maxBytes) {
        throw new OtaError('FETCH_ENDLESS', `${path}: more than ${maxBytes} bytes came`);
      }
      yield value;
    }
  } finally {
    // Not awaited: a body that hangs would hang its own end.
    chunks.return?.().catch(() => undefined);
  }
}

/** The promise's outcome, or the signal's reason once that aborts. */
function unlessStopped<T>(promise: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onStop = () => reject(stop.reason);
    if (stop.aborted) onStop();
    stop.addEventListener('abort', onStop, { once: true });
    promise.then(resolve, reject).finally(() => stop.removeEventListener('abort', onStop));
  });
}

async function broken<T>(path: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    if (cause instanceof OtaError) throw cause;
    throw new OtaError('FETCH_BROKEN', `${path}: the connection failed`, cause);
  }
}
