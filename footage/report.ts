import { rfc3339 } from '../crypto/time.ts';
import type { CameraLine } from './coverage.ts';
import type { Inspected } from './inspected.ts';
import type { WrittenMovie } from './movie-writer.ts';
import type { AbsentSnapshots, PictureLine, SnapshotInspection } from './snapshot-inspection.ts';
import type { Gap } from './timeline.ts';

/** What `oriel footage` says at its end, as one JSON object with --json. */
export interface FootageReport {
  /** The worst of all segments, and of snapshots that are refused: refused, then cut, open or missing, then complete. `empty`: nothing was selected. */
  readonly verdict: 'complete' | 'incomplete' | 'refused' | 'empty';
  /** Of segments; a session that is missing counts as one of them. */
  readonly counts: Record<Inspected['verdict'], number>;
  /** Duration of the video samples in the segments that opened, seconds. */
  readonly openedSeconds: number;
  readonly openedBytes: number;
  readonly records: number;
  /** Duration that cameras say they gave up, seconds. */
  readonly droppedSeconds: number;
  /** Time in which nothing was filmed, between segments with nothing missing between them, seconds; no verdict depends on it. */
  readonly gapSeconds: number;
  readonly gapCount: number;
  /** The oldest first, at most MAX_GAP_LINES. */
  readonly gaps: readonly GapLine[];
  /** Absent when there is none. */
  readonly longestGap?: GapLine;
  readonly segments: readonly SegmentLine[];
  readonly cameras: readonly CameraLine[];
  /** How many snapshots opened. */
  readonly snapshots: number;
  /** Snapshots that a camera made and that are not here; no verdict depends on them. */
  readonly absentSnapshots: readonly AbsentSnapshots[];
  /** Snapshots that were refused, and with a sheet keyframes of which no picture comes. */
  readonly refusedPictures: readonly PictureLine[];
  readonly files: readonly WrittenMovie[];
}

export interface GapLine {
  readonly camera: string;
  /** RFC 3339, by the camera's clock. */
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
}

export const MAX_GAP_LINES = 1000;

export interface SegmentLine {
  readonly camera: string;
  readonly session: string;
  readonly sequence: number;
  readonly verdict: Inspected['verdict'];
  /** How many segments, or sessions, in a row are missing, if more than one: `sequence` is the first. */
  readonly count?: number;
  /** RFC 3339, by the camera's clock; absent when it did not open. */
  readonly time?: string;
  readonly seconds?: number;
  readonly records?: number;
  readonly bytes?: number;
  /** What the camera signed instead of an end; an `open` segment may be `unknown` to it. */
  readonly marked?: 'cut' | 'dropped' | 'unknown';
  /** With `marked`: how many records the camera's signature vouches for. */
  readonly vouchedRecords?: number;
  /** With `marked`: whether the signature covers the mark's place, so that nothing before it can be taken away unseen. */
  readonly placed?: boolean;
  readonly droppedSeconds?: number;
  readonly code?: string;
  readonly message?: string;
}

export function segmentLine(inspected: Inspected): SegmentLine {
  const { camera, session, sequence, count, verdict, opened, refusal } = inspected;
  const line = { camera, session, sequence, verdict, ...(count > 1 && { count }) };
  if (refusal !== undefined) return { ...line, ...refusal };
  if (opened === undefined) return line;
  const { header, durationUs, records, fragments, mark } = opened;
  return {
    ...line,
    time: rfc3339(header.timeMs),
    seconds: durationUs / 1e6,
    records,
    bytes: fragments.reduce((sum, fragment) => sum + fragment.bytes.length, 0),
    ...(mark && {
      marked: mark.kind,
      vouchedRecords: mark.vouchedRecords,
      placed: mark.placed,
      droppedSeconds: mark.lostUs / 1e6,
    }),
  };
}

export function report(
  segments: readonly SegmentLine[],
  files: readonly WrittenMovie[],
  cameras: readonly CameraLine[],
  snapshots: Pick<SnapshotInspection, 'opened' | 'absent' | 'refused'>,
  gaps: readonly Gap[],
): FootageReport {
  const counts = { complete: 0, cut: 0, open: 0, missing: 0, refused: 0 };
  for (const { verdict, count = 1 } of segments) counts[verdict] += count;
  const sum = (field: 'seconds' | 'bytes' | 'records' | 'droppedSeconds') =>
    segments.reduce((total, segment) => total + (segment[field] ?? 0), 0);
  return {
    verdict: verdictOf(counts, snapshots.refused),
    counts,
    openedSeconds: Math.round(sum('seconds') * 1e6) / 1e6,
    openedBytes: sum('bytes'),
    records: sum('records'),
    droppedSeconds: Math.round(sum('droppedSeconds') * 1e6) / 1e6,
    ...gapReport(gaps),
    segments,
    cameras,
    snapshots: snapshots.opened,
    absentSnapshots: snapshots.absent,
    refusedPictures: snapshots.refused,
    files,
  };
}

/** What a report says of gaps: sums and lines to the millisecond. */
export function gapReport(
  gaps: readonly Gap[],
): Pick<FootageReport, 'gapSeconds' | 'gapCount' | 'gaps' | 'longestGap'> {
  const inOrder = [...gaps].sort((a, b) => a.fromMs - b.fromMs);
  const [first] = inOrder;
  const longest = inOrder.reduce((most, gap) => (lengthMs(gap) > lengthMs(most) ? gap : most), first as Gap);
  return {
    gapSeconds: Math.round(gaps.reduce((sum, gap) => sum + lengthMs(gap), 0)) / 1000,
    gapCount: gaps.length,
    gaps: inOrder.slice(0, MAX_GAP_LINES).map(gapLine),
    ...(first !== undefined && { longestGap: gapLine(longest) }),
  };
}

const lengthMs = ({ fromMs, toMs }: Gap): number => toMs - fromMs;

const gapLine = (gap: Gap): GapLine => ({
  camera: gap.camera,
  from: rfc3339(gap.fromMs),
  to: rfc3339(gap.toMs),
  seconds: Math.round(lengthMs(gap)) / 1000,
});

export function verdictOf(
  counts: FootageReport['counts'],
  refusedPictures: readonly PictureLine[],
): FootageReport['verdict'] {
  if (counts.refused > 0 || refusedPictures.length > 0) return 'refused';
  if (counts.cut + counts.open + counts.missing > 0) return 'incomplete';
  return counts.complete > 0 ? 'complete' : 'empty';
}
