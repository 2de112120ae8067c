import type { SealedRecord } from '../../agent/spool/stored-segment.ts';
import { encodeSegmentHeader } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import {
  finishRecord,
  RECORD_HEADER_LENGTH,
  RECORD_OVERHEAD,
  RECORD_TYPES,
  type RecordType,
  writeRecordHeader,
} from '../../crypto/record.ts';
import { randomOf } from '../faults/crash-disk.ts';

/** Sessions and segments as a camera makes them: frames that are whole, around payloads that mean nothing. */

const { crc32, sha256 } = nodePrimitives;
export const primitives = { crc32, sha256 };

export interface MadeSession {
  readonly id: string;
  readonly number: number;
  readonly header: Uint8Array;
}

export function makeSession(number: number, length = 300): MadeSession {
  const header = filler(length, number);
  return { id: Buffer.from(sha256(header)).toString('hex').slice(0, 32), number, header };
}

export interface MadeSegment {
  readonly header: Uint8Array;
  readonly digest: Uint8Array;
  /** The next record, with a payload of so many bytes. */
  next(type: RecordType, payload: number, durationUs: number): SealedRecord;
}

export function makeSegment(session: MadeSession, sequence: number): MadeSegment {
  const header = encodeSegmentHeader({
    camera: filler(20, 1),
    sessionHash: sha256(session.header),
    sequence,
    timeMs: 1_800_000_000_000 + sequence,
  });
  const tag = sha256(header).subarray(0, 4);
  const first = sha256(header);
  let digest = first;
  let counter = 0;
  return {
    header,
    digest: first,
    next(type, payload, durationUs) {
      const bytes = new Uint8Array(payload + RECORD_OVERHEAD);
      bytes.set(filler(payload, counter + sequence * 100), RECORD_HEADER_LENGTH);
      writeRecordHeader(bytes, tag, counter, durationUs, type, crc32);
      finishRecord(bytes, crc32);
      counter += 1;
      if (type !== RECORD_TYPES.closing) digest = sha256(digest, bytes);
      return { bytes, durationUs, digest };
    },
  };
}

function filler(length: number, seed: number): Uint8Array {
  const random = randomOf(seed + 17);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}
