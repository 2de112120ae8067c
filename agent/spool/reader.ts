import { concat } from '../../crypto/bytes.ts';
import { SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import type { Disk } from '../../host/disk.ts';
import { SpoolError } from './errors.ts';
import { FrameReader, PREFACE_LENGTH, type SpoolPrimitives } from './records-file.ts';
import type { SpooledSegment } from './spooled-segment.ts';

const NONE = new Uint8Array(0);

/** Hands out a segment's bytes as whole records, from memory or from the disk. */
export class Reader {
  readonly #disk: Disk;
  readonly #primitives: SpoolPrimitives;

  constructor(disk: Disk, primitives: SpoolPrimitives) {
    this.#disk = disk;
    this.#primitives = primitives;
  }

  /** UploadQueue.read. @throws SpoolError SPOOL_OFFSET, SPOOL_DAMAGED; HostError. */
  async read(segment: SpooledSegment, offset: number, maxBytes: number): Promise<Uint8Array> {
    const { header, index } = segment;
    if (offset < SEGMENT_HEADER_LENGTH && (index.start.offset > SEGMENT_HEADER_LENGTH || index.count === 0)) {
      return header.slice(offset);
    }
    const head = header.slice(Math.min(offset, SEGMENT_HEADER_LENGTH));
    const at = Math.max(offset, SEGMENT_HEADER_LENGTH);
    if (at >= segment.end) return head;
    const from = index.countBefore(at);
    if (index.offset(from) !== at) {
      throw new SpoolError('SPOOL_OFFSET', `segment ${segment.sequence}: no record begins at byte ${at}`);
    }
    const room = Math.max(1, maxBytes - head.length);
    const records =
      index.bytes(from) === undefined
        ? await this.#fromDisk(segment, from, room)
        : fromMemory(segment, from, room);
    return head.length === 0 ? records : concat(head, records);
  }

  async #fromDisk(segment: SpooledSegment, from: number, maxBytes: number): Promise<Uint8Array> {
    const { file, header, index } = segment;
    if (file === undefined || from < file.first || from >= file.written) {
      if (segment.tombstone !== undefined) return NONE;
      throw new SpoolError('SPOOL_OFFSET', `segment ${segment.sequence}: record ${from} was freed`);
    }
    let to = from + 1;
    while (to < file.written && index.offset(to + 1) - index.offset(from) <= maxBytes) to += 1;
    const length = index.offset(to) - index.offset(from);
    const position = PREFACE_LENGTH + index.offset(from) - index.offset(file.first);
    const bytes = await this.#readFile(file.path, length, position);
    if (segment.tombstone !== undefined) return NONE;

    const reader = new FrameReader(header, this.#primitives);
    let good = 0;
    for (let record = from; record < to; record++) {
      const frame = reader.read(bytes, good, index.start.records + record);
      if (frame === undefined || frame.length !== index.length(record)) break;
      good += frame.length;
    }
    if (good === 0) {
      throw new SpoolError(
        'SPOOL_DAMAGED',
        `segment ${segment.sequence}: record ${from} is damaged on the disk`,
      );
    }
    return bytes.subarray(0, good);
  }

  async #readFile(path: string, length: number, position: number): Promise<Uint8Array> {
    const handle = await this.#disk.open(path, 'read');
    if (handle === undefined) return NONE;
    try {
      return await handle.read(length, position);
    } finally {
      await handle.close();
    }
  }
}

function fromMemory({ index }: SpooledSegment, from: number, maxBytes: number): Uint8Array {
  const first = index.bytes(from) ?? NONE;
  const frames = [first];
  let length = first.length;
  for (let record = from + 1; record < index.count; record++) {
    const bytes = index.bytes(record);
    if (bytes === undefined || length + bytes.length > maxBytes) break;
    frames.push(bytes);
    length += bytes.length;
  }
  return frames.length === 1 ? first : concat(...frames);
}
