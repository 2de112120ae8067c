import { toBase64Url } from '../../../crypto/bytes.ts';
import { DIGEST_LENGTH, parseSegmentHeader, SEGMENT_HEADER_LENGTH } from '../../../crypto/header.ts';
import { type Mark, makeMarkRecord } from '../../../crypto/mark.ts';
import type { DeviceSigner } from '../../../crypto/primitives.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import { FRAGMENT_US, opening, type SegmentByHand, START_MS } from './camera.ts';
import type { AcceptedSegment } from './vectors.ts';

/** The segments that open, each with what has to come out. */
export function acceptedSegments(
  segment: SegmentByHand,
  following: SegmentByHand,
  elsewhere: SegmentByHand,
): readonly AcceptedSegment[] {
  const records = recordsOf(segment, 3);
  const before = segment.digest(records);
  const next = recordsOf(following, 2);
  const last = { previousDigest: before, final: true };
  const one = describe(segment, 'session 1');
  const cut = markOf(segment, { vouchedRecords: 2, vouchedDigest: segment.digest(records.slice(0, 2)) });
  const unvouched = markOf(segment, { vouchedRecords: 0, vouchedDigest: new Uint8Array(DIGEST_LENGTH) });
  const dropped = markOf(segment, {
    kind: 'dropped',
    vouchedRecords: 0,
    vouchedDigest: segment.headerHash,
    lostUs: 4_000_000,
  });
  const unknown = markOf(segment, { kind: 'unknown', vouchedDigest: new Uint8Array(DIGEST_LENGTH) });
  const placed = (kind: Mark['kind'], after: readonly Uint8Array[]) =>
    markOf(segment, { kind, placed: true, vouchedDigest: new Uint8Array(DIGEST_LENGTH) }, { after });
  return [
    one('complete', records, segment.closing(records), {
      verdict: 'complete',
      closing: { previousDigest: zeros(DIGEST_LENGTH), final: false },
    }),
    describe(following, 'session 1')(
      'complete, following it, the last',
      next,
      following.closing(next, last),
      {
        verdict: 'complete',
        closing: { previousDigest: toBase64Url(before), final: true },
      },
    ),
    one('complete, without a fragment', records.slice(0, 1), segment.closing(records.slice(0, 1)), {
      verdict: 'complete',
      closing: { previousDigest: zeros(DIGEST_LENGTH), final: false },
    }),
    describe(elsewhere, 'session 2')('of another session', recordsOf(elsewhere, 2), undefined, {
      verdict: 'open',
    }),
    one('open', records, undefined, { verdict: 'open' }),
    one('open, its last record torn', records.slice(0, 2), (records[2] as Uint8Array).subarray(0, 60), {
      verdict: 'open',
    }),
    one(
      'open, its last record torn in its head',
      records.slice(0, 2),
      (records[2] as Uint8Array).subarray(0, 20),
      {
        verdict: 'open',
      },
    ),
    one('open, without a record', [], undefined, { verdict: 'open' }),
    one('cut, one record more than vouched for', records.slice(0, 3), cut.frame, {
      verdict: 'cut',
      mark: cut.stated,
    }),
    one('cut, nothing vouched for', records.slice(0, 2), unvouched.frame, {
      verdict: 'cut',
      mark: unvouched.stated,
    }),
    one('dropped', [], dropped.frame, { verdict: 'cut', mark: dropped.stated }),
    one('open, unknown to the camera', records.slice(0, 2), unknown.frame, {
      verdict: 'open',
      mark: unknown.stated,
    }),
    ...(['cut', 'dropped', 'unknown'] as const).map((kind) => {
      const { frame, stated } = placed(kind, records.slice(0, 2));
      const verdict = kind === 'unknown' ? 'open' : 'cut';
      return one(`${kind}, its place signed`, records.slice(0, 2), frame, { verdict, mark: stated });
    }),
    one('dropped, its place that of the first record', [], placed('dropped', []).frame, {
      verdict: 'cut',
      mark: placed('dropped', []).stated,
    }),
  ];
}

/** An opening record and so many fragments. */
export function recordsOf(segment: SegmentByHand, fragments: number): readonly Uint8Array[] {
  const sealed = Array.from({ length: fragments }, (_, index) => segment.fragment(index + 1));
  return [segment.opening(), ...sealed];
}

/** @param where whose key signs it, and after which records it is to stand. */
export function markOf(
  segment: SegmentByHand,
  change: Partial<Mark>,
  where: { readonly signer?: DeviceSigner; readonly after?: readonly Uint8Array[] } = {},
) {
  const { signer = segment.signer, after = [] } = where;
  const at = after.reduce((sum, { length }) => sum + length, SEGMENT_HEADER_LENGTH);
  const mark: Mark = {
    kind: 'cut',
    placed: false,
    vouchedRecords: 0,
    vouchedDigest: segment.headerHash,
    lostUs: 0,
    timeMs: START_MS + 60_000,
    ...change,
  };
  const { kind, placed, vouchedRecords, lostUs, timeMs } = mark;
  const place = { headerHash: segment.headerHash, at };
  return {
    frame: makeMarkRecord(mark, place, signer, nodePrimitives.crc32),
    stated: { kind, placed, vouchedRecords, lostUs, timeMs },
  };
}

function describe(segment: SegmentByHand, session: string) {
  const { sequence, timeMs } = parseSegmentHeader(segment.header);
  return (
    name: string,
    records: readonly Uint8Array[],
    end: Uint8Array | undefined,
    outcome: Pick<AcceptedSegment, 'verdict' | 'closing' | 'mark'>,
  ): AcceptedSegment => ({
    name,
    session,
    bytes: toBase64Url(segment.bytes([...records, end ?? new Uint8Array(0)])),
    sequence,
    timeMs,
    key: toBase64Url(segment.key.key),
    noncePrefix: toBase64Url(segment.key.noncePrefix),
    digest: toBase64Url(segment.digest(records)),
    ...(records.length > 0 && {
      opening: { ...opening, run: toBase64Url(opening.run), init: toBase64Url(opening.init) },
    }),
    fragments: records.slice(1).map((_, index) => ({
      bytes: toBase64Url(segment.fragmentPlaintext(index + 1)),
      durationUs: FRAGMENT_US,
    })),
    ...outcome,
  });
}

const zeros = (length: number) => toBase64Url(new Uint8Array(length));
