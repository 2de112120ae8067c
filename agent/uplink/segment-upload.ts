import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Clock } from '../../host/clock.ts';
import { MAX_LINE_BYTES, type Progress, segmentPath, UPLOAD_OFFSET } from '../../wire/upload.ts';
import type { Connection } from '../client/connection.ts';
import { ClientError } from '../client/errors.ts';
import { connectionError, MAX_REFUSAL_BYTES, readBody, refusalError, refused } from '../client/request.ts';
import type { StoredSegment, UploadQueue } from '../spool/stored-segment.ts';
import { allowedLines, LineReader, parseProgressLine, progressFault } from './progress.ts';
import { UnreceivedAges } from './uplink-stats.ts';

export interface UploadTimes {
  /** Without a line of progress while bytes are outstanding, ms. */
  readonly stallMs: number;
  /** A growing segment that does not grow: its body ends before the server's limit, ms. */
  readonly idleMs: number;
  /** A body's whole time, ms: below the server's limit. */
  readonly bodyMs: number;
  /** After leaving a segment: how long the bytes on their way may still take, ms. */
  readonly leaveMs: number;
}

export interface SegmentUploadOptions {
  readonly connection: Connection;
  readonly queue: UploadQueue;
  readonly clock: Clock;
  readonly times: UploadTimes;
  /** Bytes on their way that the server has not received. */
  readonly windowBytes: number;
  /** The segment as the queue has it now; undefined once it is gone. */
  readonly find: () => StoredSegment | undefined;
  /** Asked before each read; a change is told by `changed()`. */
  readonly mayRead: () => boolean;
  /** After each line of progress; `acknowledged` counts the bytes that it made durable. */
  readonly onProgress: (acknowledged: number) => void;
}

/** Bytes read and written at once. */
const READ_BYTES = 256 * 1024;
const CHECKS_PER_LIMIT = 4;

/**
 * One PUT of one segment, streamed while it grows. Whole records go out as the queue gets them, as far as the
 * connection takes them; the lines that come back free the queue.
 */
export class SegmentUpload {
  readonly segment: StoredSegment;
  readonly #options: SegmentUploadOptions;
  readonly #request: ClientRequest;
  readonly #done = Promise.withResolvers<'ended' | 'left'>();
  readonly #ages: UnreceivedAges;
  readonly #startedAt: number;
  #check: NodeJS.Timeout;
  #response: IncomingMessage | undefined;
  readonly #startBase: number;
  #sent: number;
  #received: number;
  #durable: number;
  #reading = false;
  #blocked = false;
  #bodyEnded = false;
  #settled = false;
  #ended = false;
  #leaving: number | undefined;
  #writes = 0;
  #lines = 0;
  #wroteAt: number;
  #heardAt: number;

  constructor(segment: StoredSegment, options: SegmentUploadOptions) {
    const { connection, clock, times } = options;
    const now = clock.monotonic();
    this.segment = segment;
    this.#options = options;
    this.#startBase = this.#sent = this.#received = this.#durable = segment.base;
    this.#startedAt = this.#wroteAt = this.#heardAt = now;
    this.#ages = new UnreceivedAges(segment.end, segment.oldestHeldAt ?? now);
    const path = segmentPath(segment.session.id, segment.sequence);
    this.#request = connection.request('PUT', path, { [UPLOAD_OFFSET]: segment.base });
    this.#request.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
    // Dialling has its own limit: the server's silence counts from here.
    this.#request.on('socket', () => {
      this.#heardAt = clock.monotonic();
    });
    this.#request.on('error', (error) => this.#fail(connectionError(error)));
    this.#request.on('response', (response) => this.#read(response));
    const shortest = Math.min(times.stallMs, times.idleMs, times.bodyMs);
    this.#check = setInterval(() => this.#watch(), shortest / CHECKS_PER_LIMIT);
    this.#pump();
  }

  get progress() {
    return { sent: this.#sent, received: this.#received, durable: this.#durable };
  }

  /**
   * `ended` once the server has the segment's closing record, `left` when the body ended before.
   * @throws ClientError; HostError from dialling; what the queue throws.
   */
  get done(): Promise<'ended' | 'left'> {
    return this.#done.promise;
  }

  /** Age of the oldest record that the server has not received, ms. */
  get unreceivedMs(): number {
    return this.#ages.oldestMs(this.#options.clock.monotonic());
  }

  /** Tells that the queue, or what `mayRead` answers, has changed. */
  changed(): void {
    const current = this.#options.find();
    if (current) this.#ages.appended(current.end, this.#options.clock.monotonic());
    this.#pump();
  }

  /** Ends the body where it is: the server keeps the whole records it has. False when that was done before. */
  leave(): boolean {
    if (this.#leaving !== undefined) return false;
    const { clock, times } = this.#options;
    this.#leaving = clock.monotonic();
    clearInterval(this.#check);
    this.#check = setInterval(() => this.#watch(), times.leaveMs / CHECKS_PER_LIMIT);
    this.#pump();
    return true;
  }

  #pump(): void {
    if (this.#reading || this.#bodyEnded || this.#settled) return;
    const current = this.#options.find();
    if (!current || current.state === 'dropped' || this.#leaving !== undefined) this.#endBody();
    else if (this.#sent < current.end) this.#send(current);
    else if (current.state !== 'open') this.#endBody();
  }

  #send(segment: StoredSegment): void {
    const { queue, windowBytes, mayRead } = this.#options;
    if (this.#blocked || this.#sent - this.#received >= windowBytes || !mayRead()) return;
    this.#reading = true;
    queue.read(segment, this.#sent, READ_BYTES).then(
      (bytes) => {
        this.#reading = false;
        if (bytes.length === 0 || this.#settled) return;
        this.#write(bytes);
        this.#pump();
      },
      (error) => this.#fail(error),
    );
  }

  #write(bytes: Uint8Array): void {
    const now = this.#options.clock.monotonic();
    // Silence counts from the moment at which there is something to answer.
    if (this.#sent === this.#durable) this.#heardAt = now;
    this.#sent += bytes.length;
    this.#writes += 1;
    this.#wroteAt = now;
    this.#blocked = !this.#request.write(bytes);
  }

  #endBody(): void {
    this.#bodyEnded = true;
    if (this.#sent === this.#durable) this.#heardAt = this.#options.clock.monotonic();
    this.#request.end();
  }

  #read(response: IncomingMessage): void {
    this.#response = response;
    if (response.statusCode !== 200) {
      readBody(response, MAX_REFUSAL_BYTES).then(
        (body) => this.#fail(refusalError(response.statusCode, body)),
        (error) => this.#fail(error),
      );
      return;
    }
    const lines = new LineReader(MAX_LINE_BYTES);
    response.on('data', (chunk: Buffer) => {
      try {
        for (const line of lines.push(chunk)) this.#hear(line);
      } catch (error) {
        this.#fail(error);
      }
    });
    response.on('end', () => this.#finish());
    response.on('error', (error) => this.#fail(connectionError(error)));
  }

  #hear(text: string): void {
    if (this.#settled) return;
    this.#countLine();
    const line = parseProgressLine(text);
    if ('code' in line) throw refused(line);
    const current = this.#options.find();
    const whole = current?.state === 'ended' && this.#sent === current.end;
    const fault = progressFault({ ...this.progress, ended: this.#ended, whole, told: this.#lines > 1 }, line);
    if (fault) throw new ClientError('PROTOCOL_VIOLATED', `impossible progress: ${fault}`);
    this.#heardAt = this.#options.clock.monotonic();
    this.#take(line);
    this.#pump();
  }

  /** @throws ClientError PROTOCOL_VIOLATED for one too many. */
  #countLine(): void {
    this.#lines += 1;
    const elapsedMs = this.#options.clock.monotonic() - this.#startedAt;
    const bytes = this.#sent - this.#startBase;
    if (this.#lines <= allowedLines({ elapsedMs, writes: this.#writes, bytes })) return;
    throw new ClientError(
      'PROTOCOL_VIOLATED',
      `${this.#lines} lines of progress are more than there is to tell`,
    );
  }

  #take({ received, durable, ended }: Progress): void {
    const { queue, onProgress } = this.#options;
    const acknowledged = durable - this.#durable;
    this.#received = received;
    this.#durable = durable;
    this.#ended = ended;
    this.#ages.received(received);
    if (acknowledged > 0) queue.acknowledge(this.segment, durable);
    if (ended) queue.settle(this.segment);
    onProgress(acknowledged);
  }

  #finish(): void {
    if (this.#ended) this.#settle(() => this.#done.resolve('ended'));
    else if (this.#bodyEnded && this.#durable === this.#sent) this.#settle(() => this.#done.resolve('left'));
    else this.#fail(new ClientError('PROTOCOL_VIOLATED', 'the answer ended before everything was durable'));
  }

  #watch(): void {
    const { clock, times } = this.#options;
    const now = clock.monotonic();
    const outstanding = this.#sent > this.#durable || this.#bodyEnded;
    if (this.#leaving !== undefined && now - this.#leaving > times.leaveMs) {
      this.#settle(() => this.#done.resolve('left'));
    } else if (outstanding && now - this.#heardAt > times.stallMs) {
      this.#fail(new ClientError('STALLED', `no progress for ${Math.round(now - this.#heardAt)} ms`));
    } else if (now - this.#wroteAt > times.idleMs || now - this.#startedAt > times.bodyMs) {
      this.leave();
    }
  }

  #fail(error: unknown): void {
    this.#settle(() => this.#done.reject(error));
  }

  #settle(act: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    clearInterval(this.#check);
    // A connection whose request or answer is not at its end cannot carry another.
    if (!this.#request.writableFinished || !this.#response?.complete) this.#request.destroy();
    act();
  }
}
