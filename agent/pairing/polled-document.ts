import type { IncomingHttpHeaders } from 'node:http';
import type { Connection } from '../client/connection.ts';
import type { FailureTracker } from '../client/failure-tracker.ts';
import { requestResponse } from '../client/request.ts';

export interface PolledDocumentOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly trouble: FailureTracker;
  /**
   * Judges what came, and obeys it if it has to be.
   * @returns whether it is done with; false: it is to be brought again.
   * @throws for what is not to be obeyed.
   */
  readonly take: (body: string) => Promise<boolean>;
  /** Whether what was taken is no longer there as it was: it is to be brought again. */
  readonly isLost?: () => boolean;
  readonly onHead: (headers: IncomingHttpHeaders) => void;
}

const TIMEOUT_MS = 15_000;

/**
 * Something that the camera's owner signed and its server carries. What the server brings is judged as if it had been
 * laid down by hand, and what is not to be obeyed replaces nothing.
 */
export class PolledDocument {
  readonly #options: PolledDocumentOptions;
  #etag: string | undefined;

  constructor(options: PolledDocumentOptions) {
    this.#options = options;
  }

  get trouble(): FailureTracker {
    return this.#options.trouble;
  }

  /** Asks for it, and takes it if it is another than before. @throws what `requestResponse` and `take` throw. */
  async fetch(connection: Connection): Promise<void> {
    const { path, maxBytes, take, isLost, onHead } = this.#options;
    if (isLost?.()) this.#etag = undefined;
    const { status, headers, body } = await requestResponse(connection, {
      method: 'GET',
      path,
      headers: this.#etag === undefined ? {} : { 'if-none-match': this.#etag },
      maxBytes,
      timeoutMs: TIMEOUT_MS,
      onHead,
    });
    if (status === 304) return;
    // Only of what was taken: a refusal is to be seen for as long as the server brings the same.
    if (await take(body)) this.#etag = headers.etag;
  }
}
