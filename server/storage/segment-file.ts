import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CLOSING_LENGTH } from '../../crypto/closing.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { parseSegmentHeader, SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { MARK_PAYLOAD_LENGTH } from '../../crypto/mark.ts';
import { endsSegment, RECORD_OVERHEAD, readRecord } from '../../crypto/record.ts';
import { AFTER_HEADER, type SegmentPosition, segmentTag } from '../../crypto/record-scanner.ts';
import type { SegmentFile } from './footage-store.ts';
import { segmentScanner } from './record-rules.ts';

const SCAN_WINDOW = 256 * 1024;
const AEAD_TAG_LENGTH = 16;
const ENDING_LENGTHS = [CLOSING_LENGTH + AEAD_TAG_LENGTH, MARK_PAYLOAD_LENGTH].map(
  (payload) => payload + RECORD_OVERHEAD,
);

/** The segment header at a file's beginning, and where the last whole record of the file ends. */
export interface Scan {
  readonly header: Uint8Array;
  readonly position: SegmentPosition;
}

/**
 * Reads a whole segment file, checking every record. Undefined when it does not begin with a header and one record:
 * nothing but the records' tag vouches for a header's bytes after a crash.
 */
export async function scanSegment(file: SegmentFile): Promise<Scan | undefined> {
  const header = await readHeader(file);
  if (header === undefined) return undefined;
  const scanner = segmentScanner(AFTER_HEADER, tagOf(header), crc32);
  let position = AFTER_HEADER;
  for (let at = SEGMENT_HEADER_LENGTH; ; at += SCAN_WINDOW) {
    const window = await file.read(SCAN_WINDOW, at);
    const taken = scanner.take(window);
    position = taken.position;
    if (taken.refusal === undefined && window.length === SCAN_WINDOW) continue;
    return position.length > SEGMENT_HEADER_LENGTH ? { header, position } : undefined;
  }
}

/**
 * Whether a file ends in a closing record or a mark, told from its last bytes alone: cheap, and wrong only for
 * a file that the camera itself made to look so.
 */
export async function looksEnded(file: SegmentFile): Promise<boolean> {
  const size = await file.size();
  const longest = Math.min(size - SEGMENT_HEADER_LENGTH, Math.max(...ENDING_LENGTHS));
  if (longest <= 0) return false;
  const tail = await file.read(longest, size - longest);
  return ENDING_LENGTHS.some(
    (length) => length <= tail.length && isEnding(tail.subarray(tail.length - length)),
  );
}

/** The tag that the records of the segment with this header carry. */
export function tagOf(header: Uint8Array): Uint8Array {
  return segmentTag(createHash('sha256').update(header).digest());
}

async function readHeader(file: SegmentFile): Promise<Uint8Array | undefined> {
  const header = await file.read(SEGMENT_HEADER_LENGTH, 0);
  try {
    parseSegmentHeader(header);
    return header;
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

function isEnding(frame: Uint8Array): boolean {
  try {
    const record = readRecord(frame, 0, crc32);
    return record?.length === frame.length && endsSegment(record.type);
  } catch (error) {
    if (error instanceof CryptoError) return false;
    throw error;
  }
}
