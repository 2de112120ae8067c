import { equal } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { DIGEST_LENGTH, parseSegmentHeader, SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import type { SealingPrimitives } from '../../crypto/primitives.ts';
import { endsSegment, RECORD_TYPES, type RecordFrame, readRecord } from '../../crypto/record.ts';
import {
  AFTER_HEADER,
  placeFault,
  RecordScanner,
  type SegmentPosition,
  segmentTag,
} from '../../crypto/record-scanner.ts';
import type { DiskFile } from '../../host/disk.ts';
import type { RunStart } from './record-index.ts';

/** One segment's records on the disk (docs/design/spool.md, "Records file"): its name, its preface, its frames. */

export type SpoolPrimitives = Pick<SealingPrimitives, 'crc32' | 'sha256'>;

export const PREFACE_LENGTH = 128;
const MAGIC = Uint8Array.from([0x4f, 0x52, 0x53, 0x50, 1, 0, 0, 0]);
const START_AT = MAGIC.length + SEGMENT_HEADER_LENGTH;
const CHECKSUM_AT = PREFACE_LENGTH - 4;
const NAME = /^(\d{6,10})\.(\d{1,15})\.records$/;

export interface Preface {
  /** The segment header's 72 bytes. */
  readonly header: Uint8Array;
  /** Where the file's first frame stands in the segment. */
  readonly start: RunStart;
}

export function recordsFileName(sequence: number, start: number): string {
  return `${String(sequence).padStart(6, '0')}.${start}.records`;
}

/** Sequence and start that a name tells; undefined when it is not a records file's. */
export function parseRecordsFileName(name: string): { sequence: number; start: number } | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : { sequence: Number(match[1]), start: Number(match[2]) };
}

export function encodePreface({ header, start }: Preface, { crc32 }: SpoolPrimitives): Uint8Array {
  const bytes = new Uint8Array(PREFACE_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  bytes.set(header, MAGIC.length);
  view.setBigUint64(START_AT, BigInt(start.offset));
  view.setUint32(START_AT + 8, start.records);
  bytes.set(start.digest, START_AT + 12);
  view.setUint32(CHECKSUM_AT, crc32(bytes.subarray(0, CHECKSUM_AT)) >>> 0);
  return bytes;
}

/** Undefined when the bytes are not a whole preface: it had not reached the disk when the power went. */
export function decodePreface(bytes: Uint8Array, { crc32 }: SpoolPrimitives): Preface | undefined {
  if (bytes.length < PREFACE_LENGTH || !equal(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (crc32(bytes.subarray(0, CHECKSUM_AT)) >>> 0 !== view.getUint32(CHECKSUM_AT)) return undefined;
  return {
    header: bytes.slice(MAGIC.length, START_AT),
    start: {
      offset: Number(view.getBigUint64(START_AT)),
      records: view.getUint32(START_AT + 8),
      digest: bytes.slice(START_AT + 12, START_AT + 12 + DIGEST_LENGTH),
    },
  };
}

/** Tells the frames of one segment, in their order, from anything else. */
export class FrameReader {
  readonly #tag: Uint8Array;
  readonly #crc32: SpoolPrimitives['crc32'];

  constructor(header: Uint8Array, { crc32, sha256 }: SpoolPrimitives) {
    this.#tag = segmentTag(sha256(header)).slice();
    this.#crc32 = crc32;
  }

  /** The frame at `offset` if it is whole and the segment's `counter`-th record (a closing one included). */
  read(bytes: Uint8Array, offset: number, counter: number): RecordFrame | undefined {
    try {
      return this.judge({ ...AFTER_HEADER, counter }, bytes, offset);
    } catch {
      return undefined;
    }
  }

  /** The frame at `offset`; undefined when it is not whole. A spool holds no marks. @throws CryptoError. */
  judge(position: SegmentPosition, bytes: Uint8Array, offset: number): RecordFrame | undefined {
    const frame = readRecord(bytes, offset, this.#crc32);
    if (frame === undefined) return undefined;
    const fault = frame.type === RECORD_TYPES.mark ? 'turn' : placeFault(position, this.#tag, frame);
    // Which types stand where is the sealer's business.
    if (fault === undefined || fault === 'type') return frame;
    throw new CryptoError('RECORD_MISPLACED', `record ${position.counter}: ${fault}`);
  }
}

/** What a scan tells of a frame. */
export interface ScannedFrame {
  readonly length: number;
  readonly durationUs: number;
  readonly digest: Uint8Array;
  readonly closing: boolean;
}

export interface Scan {
  readonly preface: Preface;
  readonly frames: readonly ScannedFrame[];
  /** Bytes of the file up to the end of the last good frame. */
  readonly goodBytes: number;
}

const SCAN_STEP = 512 * 1024;

/** Reads a records file up to the first frame that is torn, foreign or missing. Undefined without a preface. */
export async function scanRecords(
  file: DiskFile,
  name: { sequence: number; start: number },
  primitives: SpoolPrimitives,
): Promise<Scan | undefined> {
  const preface = decodePreface(await file.read(PREFACE_LENGTH, 0), primitives);
  if (preface === undefined || preface.start.offset !== name.start) return undefined;
  if (parseSegmentHeader(preface.header).sequence !== name.sequence) return undefined;

  const frames: ScannedFrame[] = [];
  const scanner = frameScanner(preface, primitives, frames);
  const size = await file.size();
  for (let at = PREFACE_LENGTH; at < size; at += SCAN_STEP) {
    const chunk = await file.read(Math.min(SCAN_STEP, size - at), at);
    const { position, refusal } = scanner.take(chunk);
    if (refusal !== undefined && !(refusal instanceof CryptoError)) throw refusal;
    if (refusal !== undefined || position.ended) break;
  }
  const goodBytes = frames.reduce((sum, { length }) => sum + length, PREFACE_LENGTH);
  return { preface, frames, goodBytes };
}

/** Adds to `frames` every good frame that it passes. */
function frameScanner(
  { header, start }: Preface,
  primitives: SpoolPrimitives,
  frames: ScannedFrame[],
): RecordScanner {
  const reader = new FrameReader(header, primitives);
  let { digest } = start;
  const position = { length: start.offset, counter: start.records, ended: false };
  return new RecordScanner(position, (at, bytes, offset) => {
    const frame = reader.judge(at, bytes, offset);
    if (frame === undefined) return undefined;
    const { durationUs, length } = frame;
    const closing = endsSegment(frame.type);
    if (!closing) digest = primitives.sha256(digest, bytes.subarray(offset, offset + length));
    frames.push({ length, durationUs, digest, closing });
    return frame;
  });
}
