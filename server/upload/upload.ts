import type { IncomingMessage, ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import type { SegmentPosition } from '../../crypto/record-scanner.ts';
import { DURABLE_INTERVAL_MS, MAX_SEGMENT_BYTES, type Progress, UPLOAD_OFFSET } from '../../wire/upload.ts';
import { Refused } from '../errors.ts';
import type { TwinReport } from '../fleet/twin-report.ts';
import { BODY_TIMES, Body, type BodyTimes } from '../http/body.ts';
import { beginLines, writeLine } from '../http/response.ts';
import type { CameraThrottle } from '../http/throttles.ts';
import type { Meter } from '../metrics/meter.ts';
import { segmentScanner } from '../storage/record-rules.ts';
import { tagOf } from '../storage/segment-file.ts';
import { type SegmentName, type SegmentWriter, segmentKey } from '../storage/segments.ts';
import type { Store } from '../storage/store.ts';
import type { Usage } from '../storage/usage.ts';
import { checkSegmentHeader } from './header-checks.ts';
import type { Leases } from './leases.ts';

/** What was received is told at most so often, ms, unless much of it came: each line costs a camera work. */
const TELL_EVERY_MS = 500;
/** Bytes after which it is told at once: less than half of what a camera sends ahead of what it hears. */
const TELL_AFTER_BYTES = 384 * 1024;

/**
 * Whether a line says now that more was received; otherwise one does at the end of that time. What becomes durable is told at once,
 * and says what was received as well. Pure.
 * @param sinceMs since the line before; Infinity before the first.
 * @param bytes received since that line.
 */
export function tellsReceived(sinceMs: number, bytes: number): boolean {
  return sinceMs >= TELL_EVERY_MS || bytes >= TELL_AFTER_BYTES;
}

export interface UploadLimits extends BodyTimes {
  /** What was received is made durable at least this often while a body comes, ms. */
  readonly durableMs: number;
  /** A segment with all its records, bytes. */
  readonly segmentBytes: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  ...BODY_TIMES,
  durableMs: DURABLE_INTERVAL_MS,
  segmentBytes: MAX_SEGMENT_BYTES,
};

/** What uploads share. */
export interface UploadContext {
  readonly store: Store;
  readonly leases: Leases;
  readonly limits: UploadLimits;
  /** Undefined: nobody is held to a quota. */
  readonly usage?: Usage;
  readonly meter?: Meter;
  /** Of sessions begun; undefined: nobody is held to a rate. */
  readonly sessions?: CameraThrottle;
  /** Hears of every session. */
  readonly twins?: Pick<TwinReport, 'session'>;
}

/**
 * PUT of a segment: appends the body's records and streams how far they were received and made durable.
 * @throws Refused, HostError, BodyBroken. By then what was received is durable and reported, if the disk let it.
 */
export async function uploadSegment(
  context: UploadContext,
  name: SegmentName,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { store, leases, limits, usage } = context;
  const offset = uploadOffset(request);
  const lease = await leases.take(segmentKey(name));
  try {
    const writer = await store.segments.write(name);
    try {
      admit(writer, offset, request, limits.segmentBytes);
      usage?.admit(name.session.camera);
      const body = new Body(request, limits.segmentBytes - offset, limits, lease.signal);
      beginLines(response);
      await new Upload(context, name, writer, body, response).run();
    } finally {
      await writer.close();
    }
  } finally {
    lease.release();
  }
  response.end();
}

function uploadOffset({ headers }: IncomingMessage): number {
  const text = headers[UPLOAD_OFFSET];
  if (typeof text !== 'string' || !/^(?:0|[1-9][0-9]{0,9})$/.test(text)) {
    throw new Refused('REQUEST_MALFORMED', 'Upload-Offset is missing or no byte count');
  }
  return Number(text);
}

/** Whether a body may be appended from `offset` on. @throws Refused. */
function admit(
  { copy }: SegmentWriter,
  offset: number,
  { headers }: IncomingMessage,
  segmentBytes: number,
): void {
  if (copy.position.ended) throw new Refused('SEGMENT_ENDED', 'the segment has its closing record or mark');
  const { length } = copy.durable;
  if (offset !== length) {
    throw new Refused('OFFSET_CONFLICT', `the segment ends at byte ${length}, not ${offset}`, {
      offset: length,
    });
  }
  if (offset + Number(headers['content-length'] ?? 0) > segmentBytes) {
    throw new Refused('BODY_OVERSIZED', `the segment exceeds the limit of ${segmentBytes} bytes`);
  }
}

/** One upload under way: receives in order, and beside it makes durable what was received. */
class Upload {
  readonly #context: UploadContext;
  readonly #name: SegmentName;
  readonly #writer: SegmentWriter;
  readonly #body: Body;
  readonly #response: ServerResponse;
  #timer: NodeJS.Timeout | undefined;
  #telling: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #receiving = true;
  #ended = false;
  #reported = '';
  /** When the last line was written, monotonic ms, and how much it said was received. */
  #reportedAt = Number.NEGATIVE_INFINITY;
  #reportedBytes = 0;

  constructor(
    context: UploadContext,
    name: SegmentName,
    writer: SegmentWriter,
    body: Body,
    response: ServerResponse,
  ) {
    this.#context = context;
    this.#name = name;
    this.#writer = writer;
    this.#body = body;
    this.#response = response;
  }

  async run(): Promise<void> {
    try {
      const rest = this.#writer.copy.header === undefined ? await this.#begin() : undefined;
      await this.#receive(rest);
    } finally {
      this.#receiving = false;
      this.#body.close();
      clearTimeout(this.#timer);
      await this.#syncing;
      try {
        await this.#sync();
      } finally {
        clearTimeout(this.#telling);
      }
    }
  }

  /** Takes the segment header from the body and creates the file. Returns what came with it. */
  async #begin(): Promise<Uint8Array> {
    const { head, rest } = await this.#body.first(SEGMENT_HEADER_LENGTH);
    checkSegmentHeader(head, this.#name);
    await this.#writer.begin(head);
    const { store, usage, meter } = this.#context;
    store.unfinished.began(this.#name);
    usage?.began(this.#name.session.camera, 0);
    meter?.segment('begun');
    this.#progressed();
    return rest;
  }

  async #receive(rest: Uint8Array | undefined): Promise<void> {
    const { header, position } = this.#writer.copy;
    if (header === undefined) throw new Error('records before their segment header');
    const intake = segmentScanner(position, tagOf(header), crc32);
    for (
      let chunk = rest ?? (await this.#body.next());
      chunk !== undefined;
      chunk = await this.#body.next()
    ) {
      const taken = intake.take(chunk);
      if (taken.batch.length > 0) {
        await this.#append(taken.batch, taken.position);
      }
      if (taken.refusal !== undefined) throw taken.refusal;
    }
    if (intake.pending > 0) throw new Refused('RECORD_REFUSED', 'the body ends inside a record');
  }

  async #append(batch: readonly Uint8Array[], position: SegmentPosition): Promise<void> {
    const { usage, meter } = this.#context;
    const { camera } = this.#name.session;
    usage?.admit(camera);
    await this.#writer.append(batch, position);
    const bytes = batch.reduce((sum, { length }) => sum + length, 0);
    usage?.grew(camera, bytes);
    meter?.stored(bytes);
    this.#progressed();
  }

  #progressed(): void {
    this.#tellReceived();
    this.#scheduleSync();
  }

  #tellReceived(): void {
    // A camera that does not read its answer is told less often, so that the answer does not pile up here.
    if (this.#response.writableNeedDrain) return;
    const sinceMs = performance.now() - this.#reportedAt;
    const bytes = this.#writer.copy.position.length - this.#reportedBytes;
    if (tellsReceived(sinceMs, bytes)) this.#report();
    else this.#telling ??= setTimeout(() => this.#report(), TELL_EVERY_MS - sinceMs);
  }

  #scheduleSync(): void {
    if (!this.#receiving || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#syncing = this.#syncBeside();
    }, this.#context.limits.durableMs);
  }

  async #syncBeside(): Promise<void> {
    try {
      await this.#sync();
    } catch (error) {
      this.#body.fail(error as Error);
    }
    this.#timer = undefined;
    const { position, durable } = this.#writer.copy;
    if (position.length > durable.length) this.#scheduleSync();
  }

  async #sync(): Promise<void> {
    await this.#writer.sync();
    if (this.#writer.copy.durable.ended && !this.#ended) {
      this.#ended = true;
      this.#context.store.unfinished.ended(this.#name);
      this.#context.meter?.segment('ended');
    }
    this.#report();
  }

  #report(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const { position, durable } = this.#writer.copy;
    const progress: Progress = {
      received: position.length,
      durable: durable.length,
      ended: durable.ended,
    };
    const line = JSON.stringify(progress);
    if (line === this.#reported) return;
    this.#reported = line;
    this.#reportedAt = performance.now();
    this.#reportedBytes = position.length;
    writeLine(this.#response, line);
  }
}
