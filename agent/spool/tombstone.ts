import { DIGEST_LENGTH, SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import type { Counters } from './counters.ts';
import type { RunStart } from './record-index.ts';
import type { SpoolPrimitives } from './records-file.ts';

/** What is left of a dropped segment (docs/design/spool.md, "Tombstones"). */
export interface Tombstone {
  /** The segment header's 72 bytes. */
  readonly header: Uint8Array;
  /** The first byte that was not durable at the server; records and digest before it. */
  readonly base: RunStart;
  readonly lost: Counters;
}

export const TOMBSTONE_LENGTH = 140;
const BASE_AT = SEGMENT_HEADER_LENGTH;
const LOST_AT = BASE_AT + 8 + 4 + DIGEST_LENGTH;
const CHECKSUM_AT = TOMBSTONE_LENGTH - 4;

export function encodeTombstone({ header, base, lost }: Tombstone, { crc32 }: SpoolPrimitives): Uint8Array {
  const bytes = new Uint8Array(TOMBSTONE_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes.set(header, 0);
  view.setBigUint64(BASE_AT, BigInt(base.offset));
  view.setUint32(BASE_AT + 8, base.records);
  bytes.set(base.digest, BASE_AT + 12);
  view.setBigUint64(LOST_AT, BigInt(lost.durationUs));
  view.setBigUint64(LOST_AT + 8, BigInt(lost.bytes));
  view.setUint32(LOST_AT + 16, lost.records);
  view.setUint32(CHECKSUM_AT, crc32(bytes.subarray(0, CHECKSUM_AT)) >>> 0);
  return bytes;
}

/** The tombstones of a file up to the first that is torn. */
export function decodeTombstones(bytes: Uint8Array, { crc32 }: SpoolPrimitives): Tombstone[] {
  const tombstones: Tombstone[] = [];
  for (let at = 0; at + TOMBSTONE_LENGTH <= bytes.length; at += TOMBSTONE_LENGTH) {
    const entry = bytes.subarray(at, at + TOMBSTONE_LENGTH);
    const view = new DataView(entry.buffer, entry.byteOffset, entry.length);
    if (crc32(entry.subarray(0, CHECKSUM_AT)) >>> 0 !== view.getUint32(CHECKSUM_AT)) break;
    tombstones.push({
      header: entry.slice(0, SEGMENT_HEADER_LENGTH),
      base: {
        offset: Number(view.getBigUint64(BASE_AT)),
        records: view.getUint32(BASE_AT + 8),
        digest: entry.slice(BASE_AT + 12, LOST_AT),
      },
      lost: {
        durationUs: Number(view.getBigUint64(LOST_AT)),
        bytes: Number(view.getBigUint64(LOST_AT + 8)),
        records: view.getUint32(LOST_AT + 16),
      },
    });
  }
  return tombstones;
}
