import { randomBytes } from 'node:crypto';
import type {
  SegmentState,
  StoredSegment,
  StoredSession,
  UploadQueue,
} from '../../agent/spool/stored-segment.ts';

/** Frames with the length and type fields of crypto/record.ts and random content. */
export function record(length: number, type: 0 | 1 | 2 | 3 = 1): Uint8Array {
  const bytes = new Uint8Array(randomBytes(length));
  new DataView(bytes.buffer).setUint32(0, length);
  bytes[16] = type;
  return bytes;
}

export function session(number = 1): StoredSession {
  return { id: randomBytes(16).toString('hex'), number, header: new Uint8Array(randomBytes(300)) };
}

/** A segment in memory. Keeps all its bytes, so that what the server got can be compared with it. */
export class MemorySegment implements StoredSegment {
  readonly session: StoredSession;
  readonly sequence: number;
  readonly header: Uint8Array;
  readonly vouched = { records: 0, digest: new Uint8Array(32) };
  readonly droppedUs = 0;
  state: SegmentState = 'open';
  base = 0;
  bytes: Uint8Array;
  boundaries: number[];
  appendedAt: number[];

  constructor(of: StoredSession, sequence: number, header: Uint8Array, now: number) {
    this.session = of;
    this.sequence = sequence;
    this.header = header;
    this.bytes = this.header;
    this.boundaries = [72];
    this.appendedAt = [now];
  }

  get end(): number {
    return Math.max(this.bytes.length, this.base);
  }

  get oldestHeldAt(): number | undefined {
    const index = this.boundaries.findIndex((end) => end > this.base);
    return index < 0 ? undefined : this.appendedAt[index];
  }
}

/** An UploadQueue in memory that checks what is done to it. */
export class MemoryQueue implements UploadQueue {
  readonly all: MemorySegment[] = [];
  readonly unread = new Set<string>();
  #segments: MemorySegment[] = [];
  readonly #listeners = new Set<() => void>();

  begin(of: StoredSession, header: Uint8Array = new Uint8Array(randomBytes(72))): MemorySegment {
    const sequence = this.all.filter((one) => one.session === of).length;
    const segment = new MemorySegment(of, sequence, header, performance.now());
    this.all.push(segment);
    this.#segments.push(segment);
    this.#tell();
    return segment;
  }

  append(segment: MemorySegment, ...records: Uint8Array[]): void {
    for (const bytes of records) {
      segment.bytes = Buffer.concat([segment.bytes, bytes]);
      segment.boundaries.push(segment.bytes.length);
      segment.appendedAt.push(performance.now());
      if (bytes[16] === 2) segment.state = 'ended';
    }
    this.#tell();
  }

  /** A segment with these many records and its closing record. */
  whole(of: StoredSession, count: number, length = 5000): MemorySegment {
    const segment = this.begin(of);
    this.append(segment, ...Array.from({ length: count }, () => record(length)), record(200, 2));
    return segment;
  }

  mark(segment: MemorySegment, state: 'cut' | 'dropped'): void {
    segment.state = state;
    if (state === 'dropped') segment.bytes = segment.bytes.slice(0, segment.base);
    this.#tell();
  }

  segments(): readonly MemorySegment[] {
    return this.#segments;
  }

  async read(segment: MemorySegment, offset: number, maxBytes: number): Promise<Uint8Array> {
    const first = offset === 0 ? 0 : segment.boundaries.indexOf(offset) + 1;
    if (first === 0 && offset !== 0) throw new RangeError(`${offset} is no record boundary`);
    if (offset < segment.base) throw new RangeError(`${offset} was freed`);
    let end = segment.boundaries[first] ?? offset;
    for (const boundary of segment.boundaries)
      if (boundary > end && boundary - offset <= maxBytes) end = boundary;
    return segment.bytes.subarray(offset, end);
  }

  acknowledge(segment: MemorySegment, durable: number): void {
    if (durable <= segment.base) return;
    if (segment.state !== 'cut' && durable > segment.end)
      throw new RangeError(`${durable} was never written`);
    segment.base = durable;
  }

  settle(segment: MemorySegment): void {
    this.#segments = this.#segments.filter((one) => one !== segment);
    this.#tell();
  }

  isUnread(session: string): boolean {
    return this.unread.has(session);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
