import type { ParsedSessionHeader } from '../crypto/header.ts';
import type { OpenedSegment, OpenedSession } from '../crypto/opener.ts';
import type { OpeningPrimitives } from '../crypto/primitives.ts';
import { dayKeyHolder, type ViewingKey } from '../crypto/viewing-key.ts';
import { type CameraLine, Coverage } from './coverage.ts';
import { FootageError } from './errors.ts';
import { FootageReader } from './footage-reader.ts';
import type { FootageSource, SessionFiles } from './footage-source.ts';
import type { Inspected, TimeRange } from './inspected.ts';
import { inspectCamera } from './inspection.ts';
import { type SegmentLine, segmentLine } from './report.ts';
import { type FoundSnapshot, SnapshotInspection } from './snapshot-inspection.ts';
import { type Gap, Timeline } from './timeline.ts';

/** Begins to count work: how much there is of what. */
export type BeginProgress = (
  what: 'segments and snapshots' | 'pictures',
  total: number,
) => { step(): void; end(): void };

export interface FootageRequest {
  readonly source: FootageSource;
  readonly primitives: OpeningPrimitives;
  readonly key: ViewingKey;
  /** A camera's id or the beginning of one; all cameras when undefined. */
  readonly camera: string | undefined;
  readonly range: TimeRange;
  readonly beginProgress: BeginProgress;
}

/** Told of what opens, in its order. */
export interface Visitor {
  readonly onSegment?: (segment: Inspected, session: OpenedSession | undefined) => void | Promise<void>;
  readonly onSnapshots?: (
    snapshots: readonly FoundSnapshot[],
    session: OpenedSession,
    camera: string,
  ) => void;
}

/** What a report is made of. */
export interface Verification {
  readonly lines: readonly SegmentLine[];
  readonly cameras: readonly CameraLine[];
  readonly snapshots: SnapshotInspection;
  readonly gaps: readonly Gap[];
}

/**
 * Opens everything of these cameras once, and keeps nothing of what it opens but how it was.
 * @param cameras ids, of those that the source has. @throws FootageError FILE_UNREADABLE for a directory.
 */
export async function verifyFootage(
  request: FootageRequest,
  cameras: readonly string[],
  { onSegment, onSnapshots }: Visitor = {},
): Promise<Verification> {
  const { source, primitives, key, range } = request;
  const reader = new FootageReader(source, primitives);
  const holder = await dayKeyHolder(key, primitives);
  const all: { camera: string; files: readonly SessionFiles[] }[] = [];
  for (const camera of cameras) all.push({ camera, files: await source.sessions(camera) });
  const progress = request.beginProgress('segments and snapshots', filesOf(all));
  const snapshots = new SnapshotInspection(reader, range);
  const expected = request.camera === undefined ? key.cameras.map(({ id }) => id) : [];
  const coverage = new Coverage(key.cameras, expected);
  const onHeader = (header: ParsedSessionHeader) => coverage.note(header);
  const lines: SegmentLine[] = [];
  const gaps: Gap[] = [];
  try {
    for (const { camera, files } of all) {
      const trusted = key.cameras.some(({ id }) => id === camera);
      const timeline = new Timeline(camera, range);
      const onOutside = (segment: OpenedSegment) => timeline.pass(segment);
      let current: OpenedSession | undefined;
      const onSession = async (session: OpenedSession, of: SessionFiles) => {
        current = session;
        const found = await snapshots.inspect(session, of, () => progress.step());
        onSnapshots?.(found, session, camera);
      };
      const inspection = { reader, trusted, holder, range, onHeader, onSession, onOutside };
      for await (const inspected of inspectCamera(files, inspection)) {
        timeline.note(inspected);
        await onSegment?.(inspected, current);
        lines.push(segmentLine(inspected));
        progress.step();
      }
      for (const gap of timeline.gaps) gaps.push(gap);
    }
  } finally {
    progress.end();
  }
  return { lines, cameras: coverage.lines(), snapshots, gaps };
}

const filesOf = (all: readonly { readonly files: readonly SessionFiles[] }[]) =>
  all
    .flatMap(({ files }) => files)
    .reduce((sum, { segments, snapshots }) => sum + segments.length + snapshots.length, 0);

/** @throws FootageError CAMERA_UNKNOWN, CAMERA_AMBIGUOUS. */
export function chooseCameras(cameras: readonly string[], wanted: string | undefined): readonly string[] {
  if (wanted === undefined) return cameras;
  const chosen = cameras.filter((camera) => camera.startsWith(wanted));
  if (chosen.length === 1) return chosen;
  const [code, what] =
    chosen.length === 0
      ? (['CAMERA_UNKNOWN', 'no camera'] as const)
      : (['CAMERA_AMBIGUOUS', 'more than one camera'] as const);
  throw new FootageError(code, `${what} here begins with ${wanted}; there is: ${cameras.join(', ')}`);
}
