import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { concat } from '../../crypto/bytes.ts';
import { makeAuthority } from '../../crypto/certificate-node.ts';
import { MAX_SEGMENT_RECORDS } from '../../crypto/record.ts';
import { AFTER_HEADER } from '../../crypto/record-scanner.ts';
import { segmentScanner } from '../../server/storage/record-rules.ts';
import { tagOf } from '../../server/storage/segment-file.ts';
import { makeCamera, makeRecord, makeSegment, makeSegmentHeader, makeSession } from './camera-double.ts';

const camera = makeCamera(makeAuthority('Oriel camera CA', new Date(), 1));
const header = makeSegmentHeader(camera, makeSession(camera));
const { records, closing } = makeSegment(header, 6, 200);
const body = concat(...records, closing);

/** Feeds a body in chunks, each in a buffer that is overwritten as soon as the next is taken. */
function feed(bytes: Uint8Array, sizes: readonly number[]) {
  const intake = segmentScanner(AFTER_HEADER, tagOf(header), crc32);
  const stored: Uint8Array[] = [];
  let position = AFTER_HEADER;
  let refusal: unknown;
  for (let at = 0, turn = 0; at < bytes.length && refusal === undefined; turn++) {
    const chunk = bytes.slice(at, at + (sizes[turn % Math.max(1, sizes.length)] ?? bytes.length));
    at += chunk.length;
    const taken = intake.take(chunk);
    for (const part of taken.batch) stored.push(Uint8Array.from(part));
    ({ position, refusal } = taken);
    expect(position.length - AFTER_HEADER.length).toBe(concat(...stored).length);
  }
  return { stored: concat(...stored), position, refusal, pending: intake.pending };
}

const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 });

test('however a body is split, the same whole records come out of it', () => {
  fc.assert(
    fc.property(sizes, fc.nat(body.length), (split, length) => {
      const { stored, position, refusal, pending } = feed(body.subarray(0, length), split);
      expect(refusal).toBeUndefined();
      expect(Buffer.compare(stored, body.subarray(0, stored.length))).toBe(0);
      expect(stored.length + pending).toBe(length);
      expect(position.ended).toBe(length === body.length);
      const next = [...records, closing][position.counter];
      expect(pending).toBeLessThan(next?.length ?? 1);
    }),
  );
});

test('however a body with one bit flipped is split, nothing from the bad record on comes out', () => {
  fc.assert(
    fc.property(sizes, fc.nat(body.length * 8 - 1), (split, bit) => {
      const altered = Uint8Array.from(body);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      const { stored, refusal } = feed(altered, split);
      expect(refusal).toMatchObject({ name: 'Refused', code: 'RECORD_REFUSED' });
      expect(stored.length).toBeLessThanOrEqual(bit >> 3);
      expect(Buffer.compare(stored, body.subarray(0, stored.length))).toBe(0);
    }),
  );
});

test('a segment takes so many records and not one more', () => {
  const before = { ...AFTER_HEADER, counter: MAX_SEGMENT_RECORDS - 1 };
  const last = makeRecord(header, MAX_SEGMENT_RECORDS - 1, undefined, randomBytes(20));
  const over = makeRecord(header, MAX_SEGMENT_RECORDS, undefined, randomBytes(20));
  const intake = segmentScanner(before, tagOf(header), crc32);
  expect(concat(...intake.take(last).batch)).toEqual(last);
  expect(intake.take(over)).toMatchObject({
    batch: [],
    refusal: { code: 'RECORD_REFUSED', message: expect.stringContaining('65536') },
  });
});

test('rubbish is refused and never thrown up', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 21, maxLength: 2000 }), sizes, (rubbish, split) => {
      const { stored, refusal } = feed(rubbish, split);
      expect(refusal).toMatchObject({ name: 'Refused' });
      expect(stored).toHaveLength(0);
    }),
  );
});

test('a length beyond the limit is refused by the head, before anything is gathered', () => {
  const frame = makeRecord(header, 0, undefined, randomBytes(10));
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0xffff_ffff);
  view.setUint32(17, crc32(frame.subarray(0, 17)));
  for (const split of [[1], [20], [21]]) {
    const { refusal, pending } = feed(frame.subarray(0, 21), split);
    expect(refusal).toMatchObject({ code: 'BODY_OVERSIZED' });
    expect(pending).toBeLessThanOrEqual(21);
  }
});
