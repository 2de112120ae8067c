import { concat, toBase64Url, u32 } from '../../../crypto/bytes.ts';
import { signClosing } from '../../../crypto/closing.ts';
import type { CryptoErrorCode } from '../../../crypto/errors.ts';
import {
  DIGEST_LENGTH,
  encodeSessionFixed,
  readSessionHeader,
  signSessionHeader,
  type Wrap,
} from '../../../crypto/header.ts';
import { encodeOpeningRecord } from '../../../crypto/opening-record.ts';
import type { DeviceSigner } from '../../../crypto/primitives.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import { finishRecord, RECORD_TYPES } from '../../../crypto/record.ts';
import { type BegunSession, beginSession, type Recipient } from '../../../crypto/session.ts';
import { markOf, recordsOf } from './accepted.ts';
import { FRAGMENT_US, opening, type SegmentByHand, seeded, sessionFields } from './camera.ts';
import type { RefusedChain, RefusedSegment, RefusedSession } from './vectors.ts';

const { crc32 } = nodePrimitives;

/** A copy with some bytes overwritten. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at < 0 ? bytes.length + at : at);
  return copy;
}

/** A copy of a frame with some bytes of its head overwritten and both checksums made anew. */
function rechecked(frame: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = patched(frame, at, ...values);
  copy.set(u32(crc32(copy.subarray(0, 17))), 17);
  return finishRecord(copy, crc32);
}

export async function refusedSessions(
  first: BegunSession,
  second: BegunSession,
  own: Recipient,
  signer: DeviceSigner,
  other: DeviceSigner,
): Promise<readonly RefusedSession[]> {
  const { header } = first;
  const { fixed, wraps } = await readSessionHeader(header, nodePrimitives);
  const [foreign, mine] = wraps as [Wrap, Wrap];
  const strangers = (await readSessionHeader(second.header, nodePrimitives)).wraps[0] as Wrap;
  const signed = (changed: readonly Wrap[], by = signer, start = fixed) => {
    const counted = patched(start, 185, changed.length);
    const length = 186 + changed.length * 104 + 64;
    return signSessionHeader(patched(counted, 6, length >> 8, length & 255), changed, by);
  };
  const following = patched(fixed, 105, ...first.hash);
  const untrusted = await beginSession(sessionFields(1), [own], other, nodePrimitives);
  const otherPoint = encodeSessionFixed({ ...sessionFields(1), point: other.point }, 2);
  const cases: [string, CryptoErrorCode, Uint8Array][] = [
    ['empty', 'HEADER_MALFORMED', new Uint8Array(0)],
    ['one byte short', 'HEADER_MALFORMED', header.subarray(0, -1)],
    ['one byte long', 'HEADER_MALFORMED', concat(header, Uint8Array.of(0))],
    ['another magic', 'HEADER_MALFORMED', patched(header, 3, 0x54)],
    ['version 2', 'HEADER_MALFORMED', patched(header, 4, 2)],
    ['suite 2', 'HEADER_MALFORMED', patched(header, 5, 2)],
    ['another length field', 'HEADER_MALFORMED', patched(header, 7, (header[7] as number) ^ 1)],
    ['another number of wraps', 'HEADER_MALFORMED', patched(header, 185, 1)],
    ['33 wraps, signed', 'HEADER_MALFORMED', signed(Array.from({ length: 33 }, () => mine))],
    [
      'session number 2^53, signed',
      'HEADER_MALFORMED',
      signed(wraps, signer, patched(fixed, 89, 0, 0x20, 0, 0, 0, 0, 0, 0)),
    ],
    [
      'more segments before it than a session has, signed',
      'HEADER_MALFORMED',
      signed(wraps, signer, patched(following, 137, 0, 0, 0x10, 1)),
    ],
    [
      '4,294,967,294 segments before it, signed',
      'HEADER_MALFORMED',
      signed(wraps, signer, patched(following, 137, 0xff, 0xff, 0xff, 0xfe)),
    ],
    [
      'the end of a session that it does not name, signed',
      'HEADER_MALFORMED',
      signed(wraps, signer, patched(fixed, 137, 0, 0, 0, 1)),
    ],
    [
      'a last digest without a number of segments, signed',
      'HEADER_MALFORMED',
      signed(wraps, signer, patched(following, 141, 1)),
    ],
    [
      'the last digest of no segments, signed',
      'HEADER_MALFORMED',
      signed(wraps, signer, patched(following, 137, 0, 0, 0, 0, 1)),
    ],
    ['another session number', 'SESSION_FORGED', patched(header, 96, 9)],
    ['a bit of a wrap', 'SESSION_FORGED', patched(header, 300, (header[300] as number) ^ 1)],
    ['a bit of the signature', 'SESSION_FORGED', patched(header, -1, (header.at(-1) as number) ^ 1)],
    ['a signature of zeros', 'SESSION_FORGED', patched(header, -64, ...new Uint8Array(64))],
    ["another camera's signature", 'SESSION_FORGED', signed(wraps, other)],
    ["another camera's point under the signature", 'SESSION_FORGED', signed(wraps, signer, otherPoint)],
    ['a point that is not on the curve', 'SESSION_FORGED', patched(header, 72, (header[72] as number) ^ 1)],
    ["a camera's that is not trusted", 'CAMERA_FOREIGN', untrusted.header],
    ['no wrap, signed', 'SESSION_KEY_MISSING', signed([])],
    ["only another viewer's wrap, signed", 'SESSION_KEY_MISSING', signed([foreign])],
    ['a day key that is not held, signed', 'SESSION_KEY_MISSING', signed([{ ...mine, dayKey: 99 }])],
    ['another day key, signed', 'SESSION_WRAP_FORGED', signed([{ ...mine, dayKey: 0 }])],
    ["another session's wrap, signed", 'SESSION_WRAP_FORGED', signed([foreign, strangers])],
    [
      "its own wrap in another camera's session, signed by that and trusted",
      'CAMERA_FOREIGN',
      signed(wraps, other, otherPoint),
    ],
    ['a wrap too many for its own, signed', 'SESSION_WRAP_FORGED', signed([mine])],
    [
      'an encapsulated key of low order, signed',
      'SESSION_WRAP_FORGED',
      signed([foreign, { ...mine, enc: new Uint8Array(32) }]),
    ],
    [
      'a bit of the sealed secret, signed',
      'SESSION_WRAP_FORGED',
      signed([foreign, { ...mine, sealed: patched(mine.sealed, 0, (mine.sealed[0] as number) ^ 1) }]),
    ],
  ];
  return cases.map(([name, code, bytes]) => ({ name, code, bytes: toBase64Url(bytes) }));
}

interface Material {
  readonly segment: SegmentByHand;
  /** Another segment of its session. */
  readonly beside: SegmentByHand;
  /** One of another session. */
  readonly elsewhere: SegmentByHand;
  /** One that names another camera, sealed by whoever holds the session's secret. */
  readonly otherCamera: SegmentByHand;
  /** Another camera's key. */
  readonly other: DeviceSigner;
}

export function refusedSegments(material: Material): readonly RefusedSegment[] {
  const cases = [
    ...ofHeaders(material),
    ...ofFrames(material),
    ...ofPlaces(material),
    ...ofContents(material),
  ];
  return [...cases, ...ofClosings(material), ...ofMarks(material)].map(([name, code, bytes]) => ({
    name,
    code,
    session: 'session 1',
    bytes: toBase64Url(bytes),
  }));
}

type Case = readonly [name: string, code: CryptoErrorCode, bytes: Uint8Array];

function ofHeaders({ segment, elsewhere, otherCamera }: Material): readonly Case[] {
  const whole = complete(segment);
  return [
    ['empty', 'HEADER_MALFORMED', new Uint8Array(0)],
    ['a header cut short', 'HEADER_MALFORMED', whole.subarray(0, 71)],
    ['another magic', 'HEADER_MALFORMED', patched(whole, 3, 0x53)],
    ['version 2', 'HEADER_MALFORMED', patched(whole, 4, 2)],
    ['suite 2', 'HEADER_MALFORMED', patched(whole, 5, 2)],
    ['reserved bytes not zero', 'HEADER_MALFORMED', patched(whole, 7, 1)],
    ['time 2^53', 'HEADER_MALFORMED', patched(whole, 64, 0, 0x20, 0, 0, 0, 0, 0, 0)],
    ['sequence number 4,096', 'HEADER_MALFORMED', patched(whole, 62, 0x10)],
    ['a segment of another session', 'SEGMENT_FOREIGN', complete(elsewhere)],
    ['a segment that names another camera', 'CAMERA_FOREIGN', complete(otherCamera)],
    ['another sequence number', 'RECORD_MISPLACED', patched(whole, 63, 5)],
    ['another time', 'RECORD_MISPLACED', patched(whole, 71, (whole[71] as number) ^ 1)],
  ];
}

function ofFrames({ segment }: Material): readonly Case[] {
  const frames = recordsOf(segment, 2);
  const fragment = frames[2] as Uint8Array;
  const withLast = (last: Uint8Array) => segment.bytes([...frames.slice(0, 2), last]);
  return [
    ['a bit of a length', 'RECORD_CORRUPT', withLast(patched(fragment, 3, (fragment[3] as number) ^ 1))],
    ['a bit of a payload', 'RECORD_CORRUPT', withLast(patched(fragment, 30, (fragment[30] as number) ^ 1))],
    [
      'a bit of the last checksum',
      'RECORD_CORRUPT',
      withLast(patched(fragment, -1, (fragment.at(-1) as number) ^ 1)),
    ],
    ['length 24', 'RECORD_MALFORMED', withLast(rechecked(fragment, 0, 0, 0, 0, 24))],
    ['length 8,388,609', 'RECORD_MALFORMED', withLast(rechecked(fragment, 0, 0, 0x80, 0, 1))],
    ['type 4', 'RECORD_MALFORMED', withLast(rechecked(fragment, 16, 4))],
  ];
}

function ofPlaces({ segment, beside }: Material): readonly Case[] {
  const [f0, f1, f2] = recordsOf(segment, 2) as [Uint8Array, Uint8Array, Uint8Array];
  const end = segment.closing([f0, f1, f2]);
  const stranger = recordsOf(beside, 1)[1] as Uint8Array;
  const twice = segment.seal(RECORD_TYPES.opening, 1, 0, encodeOpeningRecord(opening));
  return [
    ['a record removed', 'RECORD_MISPLACED', segment.bytes([f0, f2, end])],
    ['the opening record removed', 'RECORD_MISPLACED', segment.bytes([f1, f2])],
    ['the last record removed', 'RECORD_MISPLACED', segment.bytes([f0, f1, end])],
    ['a record repeated', 'RECORD_MISPLACED', segment.bytes([f0, f1, f1, f2, end])],
    ['records swapped', 'RECORD_MISPLACED', segment.bytes([f0, f2, f1, end])],
    ['a record of another segment', 'RECORD_MISPLACED', segment.bytes([f0, stranger, f2, end])],
    [
      'a fragment in place of the opening record',
      'RECORD_MALFORMED',
      segment.bytes([rechecked(f1, 8, 0, 0, 0, 0)]),
    ],
    ['a second opening record', 'RECORD_MALFORMED', segment.bytes([f0, twice])],
    ['nothing but a closing record', 'RECORD_MALFORMED', segment.bytes([segment.closing([])])],
    ['an opening record that lasts', 'RECORD_MALFORMED', segment.bytes([rechecked(f0, 15, 1), f1])],
    ['a closing record that lasts', 'RECORD_MALFORMED', segment.bytes([f0, f1, f2, rechecked(end, 15, 1)])],
    ['a record behind the end', 'RECORD_TRAILING', segment.bytes([f0, f1, f2, end, f1])],
    ['a second closing record', 'RECORD_TRAILING', segment.bytes([f0, f1, f2, end, end])],
    ['a torn record behind the end', 'RECORD_TRAILING', segment.bytes([f0, f1, f2, end, f1.subarray(0, 30)])],
    ['one byte behind the end', 'RECORD_TRAILING', segment.bytes([f0, f1, f2, end, Uint8Array.of(0)])],
  ];
}

function ofContents({ segment, beside }: Material): readonly Case[] {
  const [f0, f1] = recordsOf(segment, 1) as [Uint8Array, Uint8Array];
  const stranger = concat(f1.subarray(0, 21), (recordsOf(beside, 1)[1] as Uint8Array).subarray(21));
  const withOpening = (plaintext: Uint8Array) =>
    segment.bytes([segment.seal(RECORD_TYPES.opening, 0, 0, plaintext)]);
  const plaintext = encodeOpeningRecord(opening);
  return [
    [
      'a bit of the ciphertext',
      'RECORD_FORGED',
      segment.bytes([f0, rechecked(f1, 21, (f1[21] as number) ^ 1)]),
    ],
    ['a bit of the tag', 'RECORD_FORGED', segment.bytes([f0, rechecked(f1, -5, (f1.at(-5) as number) ^ 1)])],
    ['another duration', 'RECORD_FORGED', segment.bytes([f0, rechecked(f1, 15, (f1[15] as number) ^ 1)])],
    ['a fragment called a closing record', 'RECORD_FORGED', segment.bytes([f0, withoutDuration(f1)])],
    [
      'the payload of another segment',
      'RECORD_FORGED',
      segment.bytes([f0, rechecked(stranger, 21, stranger[21] as number)]),
    ],
    ['a payload shorter than a tag', 'RECORD_FORGED', segment.bytes([f0, shortened(f1, 15)])],
    ['an empty payload', 'RECORD_FORGED', segment.bytes([f0, shortened(f1, 0)])],
    ['timescale 0', 'RECORD_MALFORMED', segment.bytes([segment.opening({ timescale: 0 })])],
    ['an opening record cut short', 'RECORD_MALFORMED', withOpening(plaintext.subarray(0, 21))],
    [
      'codec strings beyond the end',
      'RECORD_MALFORMED',
      withOpening(patched(plaintext.subarray(0, 40), 20, 1, 0)),
    ],
    [
      'codec strings of 257 bytes',
      'RECORD_MALFORMED',
      withOpening(concat(patched(plaintext, 20, 1, 1), new Uint8Array(300))),
    ],
    ['codec strings that are no UTF-8', 'RECORD_MALFORMED', withOpening(patched(plaintext, 22, 0xff))],
    ['decode time 2^53', 'RECORD_MALFORMED', withOpening(patched(plaintext, 12, 0, 0x20, 0, 0, 0, 0, 0, 0))],
  ];
}

function ofClosings({ segment, beside, other }: Material): readonly Case[] {
  const frames = recordsOf(segment, 2);
  const ended = (end: Uint8Array) => segment.bytes([...frames, end]);
  const stated = {
    records: 3,
    durationUs: 2 * FRAGMENT_US,
    digest: segment.digest(frames),
    previousDigest: new Uint8Array(DIGEST_LENGTH),
    final: false,
  };
  const good = signClosing(stated, segment.headerHash, segment.signer);
  const ofAnother = signClosing(stated, beside.headerHash, segment.signer);
  const flags = patched(good, 76, 2);
  const signedFlags = concat(
    flags.subarray(0, 77),
    segment.signer.sign(
      concat(new TextEncoder().encode('oriel/1 closing\0'), segment.headerHash, flags.subarray(0, 77)),
    ),
  );
  const cases: [string, Uint8Array][] = [
    ['a closing record that counts one record more', segment.closing(frames, { records: 4 })],
    ['a closing record that counts one record less', segment.closing(frames, { records: 2 })],
    ['a closing record of another duration', segment.closing(frames, { durationUs: 1 })],
    ['a closing record of another digest', segment.closing(frames, { digest: segment.headerHash })],
    ["a closing record signed by another camera's key", segment.closing(frames, {}, other)],
    ['a closing record signed for another segment', segment.sealClosing(3, ofAnother)],
    [
      'a closing record with a bit of its signature flipped',
      segment.sealClosing(3, patched(good, -1, (good.at(-1) as number) ^ 1)),
    ],
    ['a closing record not signed', segment.sealClosing(3, patched(good, -64, ...new Uint8Array(64)))],
    ['a closing record with unknown flags, signed', segment.sealClosing(3, signedFlags)],
    ['a closing record one byte short', segment.sealClosing(3, good.subarray(0, -1))],
  ];
  const first = ended(segment.closing(frames, { previousDigest: beside.headerHash }));
  return [
    ...cases.map(([name, end]): Case => [name, 'CLOSING_FORGED', ended(end)]),
    ['a first segment that names one before it', 'CHAIN_BROKEN', first],
  ];
}

function ofMarks({ segment, beside, other }: Material): readonly Case[] {
  const frames = recordsOf(segment, 2);
  const digest = segment.digest(frames);
  const { frame } = markOf(segment, { vouchedRecords: 3, vouchedDigest: digest });
  const marked = (mark: Uint8Array, records = frames) => segment.bytes([...records, mark]);
  const moved = concat(frame.subarray(0, 4), segment.headerHash.subarray(0, 4));
  const foreign = markOf(beside, { vouchedRecords: 0 }).frame;
  const dressed = rechecked(concat(moved, foreign.subarray(8)), 16, 3);
  const placed = markOf(segment, { placed: true, vouchedRecords: 0 }, { after: frames }).frame;
  const vouching = markOf(
    segment,
    { placed: true, vouchedRecords: 2, vouchedDigest: segment.digest(frames.slice(0, 2)) },
    { after: frames },
  ).frame;
  return [
    ['a mark that vouches for a record that is not there', 'MARK_FORGED', marked(frame, frames.slice(0, 2))],
    [
      'a mark that vouches for other records',
      'MARK_FORGED',
      marked(markOf(segment, { vouchedRecords: 2, vouchedDigest: digest }).frame),
    ],
    [
      'a mark with a bit of its statement flipped',
      'MARK_FORGED',
      marked(rechecked(frame, 25, (frame[25] as number) ^ 1)),
    ],
    [
      'a mark with a bit of its signature flipped',
      'MARK_FORGED',
      marked(rechecked(frame, -5, (frame.at(-5) as number) ^ 1)),
    ],
    ['a mark of kind 0', 'MARK_FORGED', marked(markOf(segment, { kind: 'none' as 'cut' }).frame)],
    ['a mark of kind 7', 'MARK_FORGED', marked(rechecked(placed, 21, 7))],
    [
      'a mark whose place is signed, with a record before it taken away',
      'MARK_FORGED',
      marked(placed, frames.slice(0, 2)),
    ],
    ['the same where it vouches for all that is left', 'MARK_FORGED', marked(vouching, frames.slice(0, 2))],
    ['the same with no record left', 'MARK_FORGED', marked(placed, [])],
    [
      'a mark whose place is signed, behind one record more',
      'MARK_FORGED',
      marked(placed, [...frames, segment.fragment(3)]),
    ],
    ['a mark that is made to say nothing of its place', 'MARK_FORGED', marked(rechecked(placed, 21, 1))],
    ['a mark that is made to say its place', 'MARK_FORGED', marked(rechecked(frame, 21, 4))],
    [
      'a mark that vouches for records of a segment unknown to the camera',
      'MARK_FORGED',
      marked(
        markOf(segment, {
          kind: 'unknown',
          vouchedRecords: 2,
          vouchedDigest: segment.digest(frames.slice(0, 2)),
        }).frame,
      ),
    ],
    [
      'a mark that gives up some of a segment unknown to the camera',
      'MARK_FORGED',
      marked(markOf(segment, { kind: 'unknown', lostUs: 1 }).frame),
    ],
    [
      "a mark signed by another camera's key",
      'MARK_FORGED',
      marked(markOf(segment, {}, { signer: other }).frame),
    ],
    ['a mark signed for another segment', 'MARK_FORGED', marked(dressed)],
    ['a mark of another segment', 'RECORD_MISPLACED', marked(foreign)],
    ['a mark under a counter of its own', 'RECORD_MISPLACED', marked(rechecked(frame, 8, 0, 0, 0, 3))],
    ['a mark that lasts', 'RECORD_MALFORMED', marked(rechecked(frame, 15, 1))],
    ['a record behind a mark', 'RECORD_TRAILING', marked(concat(frame, frames[1] as Uint8Array))],
    ['a mark behind a closing record', 'RECORD_TRAILING', marked(concat(segment.closing(frames), frame))],
    ['a byte behind a mark', 'RECORD_TRAILING', marked(concat(frame, Uint8Array.of(0)))],
  ];
}

/** Segments that each open, and of which the second does not follow the first. */
export function refusedChains(
  segment: SegmentByHand,
  following: SegmentByHand,
  third: SegmentByHand,
): readonly RefusedChain[] {
  const frames = recordsOf(segment, 1);
  const digest = segment.digest(frames);
  const pair = (name: string, before: Uint8Array, after: SegmentByHand, previousDigest: Uint8Array) => {
    const records = recordsOf(after, 1);
    const bytes = after.bytes([...records, after.closing(records, { previousDigest })]);
    return {
      name,
      code: 'CHAIN_BROKEN' as const,
      session: 'session 1',
      before: toBase64Url(before),
      bytes: toBase64Url(bytes),
    };
  };
  const closed = segment.bytes([...frames, segment.closing(frames)]);
  const final = segment.bytes([...frames, segment.closing(frames, { final: true })]);
  return [
    pair('names another segment before it', closed, following, seeded('elsewhere', 32)),
    pair('names none before it', closed, following, new Uint8Array(DIGEST_LENGTH)),
    pair('follows the end of the session', final, following, digest),
    pair('skips a sequence number', closed, third, digest),
  ];
}

function complete(segment: SegmentByHand): Uint8Array {
  const frames = recordsOf(segment, 2);
  return segment.bytes([...frames, segment.closing(frames)]);
}

/** A fragment's frame under a closing record's type, without the duration that one may not have. */
function withoutDuration(frame: Uint8Array): Uint8Array {
  return rechecked(frame, 12, 0, 0, 0, 0, RECORD_TYPES.closing);
}

/** The frame with only so many bytes of payload. */
function shortened(frame: Uint8Array, payload: number): Uint8Array {
  const length = 21 + payload + 4;
  return rechecked(patched(frame.subarray(0, length), 0, ...u32(length)), 0, ...u32(length));
}
