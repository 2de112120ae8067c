import type { IncomingMessage } from 'node:http';
import { FIRST_BYTE_TIMEOUT_MS, IDLE_TIMEOUT_MS, MAX_BODY_MS } from '../../wire/upload.ts';
import { Refused } from '../errors.ts';

/** How long a body may take, ms. Only time spent waiting for the camera counts, never time at the disk. */
export interface BodyTimes {
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly wholeMs: number;
}

export const BODY_TIMES: BodyTimes = {
  firstByteMs: FIRST_BYTE_TIMEOUT_MS,
  idleMs: IDLE_TIMEOUT_MS,
  wholeMs: MAX_BODY_MS,
};

/** The connection broke off before the body's end: nobody is left to answer. */
export class BodyBroken extends Error {
  override readonly name = 'BodyBroken';
}

/** Bytes that may lie here unread before the socket is read no further. */
const HIGH_WATER = 64 * 1024;

/** A request's body, handed on chunk by chunk as it came from the socket, uncopied. */
export class Body {
  readonly #request: IncomingMessage;
  readonly #times: BodyTimes;
  readonly #limit: number;
  readonly #queue: Buffer[] = [];
  #queued = 0;
  #taken = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param limit bytes; more are refused.
   * @param signal ends the reading with its reason.
   */
  constructor(request: IncomingMessage, limit: number, times: BodyTimes, signal?: AbortSignal) {
    this.#request = request;
    this.#limit = limit;
    this.#times = times;
    const wake = () => this.#wake?.();
    request.on('data', this.#receive);
    request.on('end', wake).on('close', wake).on('error', wake);
    signal?.addEventListener('abort', () => this.fail(signal.reason), { once: true });
    if (signal?.aborted) this.#failure = signal.reason;
  }

  /** Makes the reader's next call throw `reason`. */
  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#wake?.();
  }

  /** Reads no more: what is still to come is left to the request. */
  close(): void {
    this.#request.off('data', this.#receive);
    this.#queue.length = 0;
  }

  /**
   * The next chunk; undefined after the last.
   * @throws Refused BODY_LATE, BODY_SLOW, BODY_ENDLESS, BODY_OVERSIZED; the signal's reason; BodyBroken.
   */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk = this.#queue.shift();
      if (chunk !== undefined) return this.#hand(chunk);
      if (this.#request.readableEnded) return undefined;
      if (this.#request.destroyed) throw new BodyBroken('the connection broke off');
      await this.#wait();
    }
  }

  /** Exactly `length` bytes and what came with them. @throws Refused HEADER_REFUSED when the body is shorter. */
  async first(length: number): Promise<{ readonly head: Uint8Array; readonly rest: Uint8Array }> {
    let gathered: Uint8Array = new Uint8Array(0);
    while (gathered.length < length) {
      const chunk = await this.next();
      if (chunk === undefined) {
        throw new Refused('HEADER_REFUSED', `the body ends after ${gathered.length} bytes of ${length}`);
      }
      gathered = gathered.length === 0 ? chunk : Buffer.concat([gathered, chunk]);
    }
    return { head: gathered.subarray(0, length), rest: gathered.subarray(length) };
  }

  /** All of it. */
  async whole(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#taken === 0 && this.#queued === 0) this.#deadline = performance.now() + this.#times.wholeMs;
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued >= HIGH_WATER) this.#request.pause();
    this.#wake?.();
  };

  #hand(chunk: Buffer): Buffer {
    this.#queued -= chunk.length;
    this.#taken += chunk.length;
    if (this.#taken > this.#limit) {
      throw new Refused('BODY_OVERSIZED', `the body exceeds the limit of ${this.#limit} bytes`);
    }
    if (performance.now() > this.#deadline) throw this.#endless();
    if (this.#queued < HIGH_WATER && this.#request.isPaused()) this.#request.resume();
    return chunk;
  }

  async #wait(): Promise<void> {
    const pause = this.#taken === 0 ? this.#times.firstByteMs : this.#times.idleMs;
    const left = Math.max(0, this.#deadline - performance.now());
    const timer = setTimeout(
      () => this.fail(left < pause ? this.#endless() : this.#stopped(pause)),
      Math.min(left, pause),
    );
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  #stopped(ms: number): Refused {
    return this.#taken === 0
      ? new Refused('BODY_LATE', `the body's first byte did not come within ${ms} ms`)
      : new Refused('BODY_SLOW', `the body stopped for ${ms} ms`);
  }

  #endless(): Refused {
    return new Refused('BODY_ENDLESS', `the body did not end within ${this.#times.wholeMs} ms`);
  }
}

/** @throws Refused REQUEST_MALFORMED for a request that brings a body. */
export function refuseBody({ headers }: IncomingMessage): void {
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') {
    throw new Refused('REQUEST_MALFORMED', 'a GET request has no body');
  }
}
