import fc from 'fast-check';
import { decodeLastSession, encodeLastSession } from '../../agent/spool/last-session.ts';
import {
  decodePreface,
  encodePreface,
  parseRecordsFileName,
  recordsFileName,
  scanRecords,
} from '../../agent/spool/records-file.ts';
import { decodeTombstones, encodeTombstone } from '../../agent/spool/tombstone.ts';
import { RECORD_TYPES } from '../../crypto/record.ts';
import type { DiskFile } from '../../host/disk.ts';
import { CrashDisk } from '../faults/crash-disk.ts';
import { makeSegment, makeSession, primitives } from './footage.ts';

const session = makeSession(5);
const segment = makeSegment(session, 12);
const start = { offset: 72, records: 0, digest: segment.digest };
const preface = encodePreface({ header: segment.header, start }, primitives);
const records = [
  segment.next(RECORD_TYPES.opening, 50, 0),
  segment.next(RECORD_TYPES.fragment, 90, 200_000),
  segment.next(RECORD_TYPES.closing, 40, 0),
];
const whole = Buffer.concat([preface, ...records.map(({ bytes }) => bytes)]);
const name = { sequence: 12, start: 72 };

async function scan(content: Uint8Array) {
  const disk = new CrashDisk();
  disk.place('/file', content);
  return scanRecords((await disk.open('/file', 'read')) as DiskFile, name, primitives);
}

describe('a records file', () => {
  test('is read back as it was written', async () => {
    const found = await scan(whole);
    expect(found?.goodBytes).toBe(whole.length);
    expect(found?.frames).toMatchObject([
      { durationUs: 0, closing: false, digest: records[0]?.digest },
      { durationUs: 200_000, closing: false, digest: records[1]?.digest },
      { durationUs: 0, closing: true, digest: records[1]?.digest },
    ]);
  });

  test('torn at any byte, gives the frames before it', async () => {
    const ends = [
      128,
      ...records.map((_, i) => 128 + records.slice(0, i + 1).reduce((n, r) => n + r.bytes.length, 0)),
    ];
    for (let length = 0; length < whole.length; length++) {
      const found = await scan(whole.subarray(0, length));
      expect(found?.goodBytes).toBe(
        length < 128 ? undefined : Math.max(...ends.filter((end) => end <= length)),
      );
    }
  });

  test('with any byte damaged, never gives the frame that holds it nor one after it', async () => {
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect((await scan(damaged))?.goodBytes ?? 0).toBeLessThanOrEqual(at);
    }
  });

  test('with a frame of another segment, out of order or repeated, ends before it', async () => {
    const other = makeSegment(session, 13).next(RECORD_TYPES.opening, 50, 0).bytes;
    const [first, second] = records.map(({ bytes }) => bytes) as [Uint8Array, Uint8Array];
    for (const frames of [[other], [second], [first, first], [first, other]]) {
      const found = await scan(Buffer.concat([preface, ...frames]));
      expect(found?.goodBytes).toBe(128 + (frames.length === 2 ? first.length : 0));
    }
  });

  test('reaches beyond what is read at once', async () => {
    const long = makeSegment(session, 12);
    const frames = Array.from({ length: 5 }, () => long.next(RECORD_TYPES.fragment, 700_000, 1).bytes);
    expect((await scan(Buffer.concat([preface, ...frames])))?.frames.length).toBe(5);
  });

  test('whose preface tells another place than its name is not believed', async () => {
    const disk = new CrashDisk();
    disk.place('/file', whole);
    const file = (await disk.open('/file', 'read')) as DiskFile;
    expect(await scanRecords(file, { sequence: 13, start: 72 }, primitives)).toBeUndefined();
    expect(await scanRecords(file, { sequence: 12, start: 73 }, primitives)).toBeUndefined();
  });

  test('names are read as they are made, and others are none', () => {
    expect(parseRecordsFileName(recordsFileName(7, 99))).toEqual({ sequence: 7, start: 99 });
    for (const bad of ['', 'session', '7.72.records', '000007.-1.records', '000007.72.records.tmp', '../x']) {
      expect(parseRecordsFileName(bad)).toBeUndefined();
    }
  });
});

const tombstone = {
  header: segment.header,
  base: { offset: 4000, records: 3, digest: segment.digest },
  lost: { records: 9, bytes: 123_456, durationUs: 1_800_000 },
};
const last = { session, end: { segments: 4, digest: segment.digest } };

test('tombstones are read back up to the first that is torn', () => {
  const bytes = Buffer.concat([1, 2, 3].map(() => encodeTombstone(tombstone, primitives)));
  expect(decodeTombstones(bytes, primitives)).toEqual([tombstone, tombstone, tombstone]);
  for (let length = 0; length < bytes.length; length++) {
    expect(decodeTombstones(bytes.subarray(0, length), primitives)).toHaveLength(Math.floor(length / 140));
  }
});

test('the last session is read back, and not at all when damaged', () => {
  const bytes = encodeLastSession(last, primitives);
  expect(decodeLastSession(bytes, primitives)).toEqual(last);
  const open = { session, end: undefined };
  expect(decodeLastSession(encodeLastSession(open, primitives), primitives)).toEqual(open);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(decodeLastSession(damaged, primitives)).toBeUndefined();
    expect(decodeLastSession(bytes.subarray(0, at), primitives)).toBeUndefined();
  }
});

test('no parser takes or throws at anything but what was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
      expect(decodePreface(bytes, primitives)).toBeUndefined();
      expect(decodeTombstones(bytes, primitives)).toEqual([]);
      expect(decodeLastSession(bytes, primitives)).toBeUndefined();
      expect(await scan(bytes)).toBeUndefined();
      expect((await scan(Buffer.concat([preface, bytes])))?.frames).toEqual([]);
    }),
  );
});
