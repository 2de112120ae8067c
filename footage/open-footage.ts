import { statSync } from 'node:fs';
import { CommandError } from '../cli/errors.ts';
import { checkOutput, readTextFile } from '../cli/files.ts';
import { Progress } from '../cli/progress.ts';
import type { ParsedSessionHeader } from '../crypto/header.ts';
import type { OpenedSegment, OpenedSession } from '../crypto/opener.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import {
  dayKeyHolder,
  MAX_VIEWING_KEY_BYTES,
  parseViewingKey,
  type ViewingKey,
} from '../crypto/viewing-key.ts';
import { Coverage } from './coverage.ts';
import { camerasIn, footageRoot, type SessionFiles, sessionsOf } from './footage-directory-node.ts';
import type { TimeRange } from './inspected.ts';
import { inspectCamera } from './inspection.ts';
import { MovieWriter } from './movie-writer.ts';
import { type FootageReport, report, type SegmentLine, segmentLine } from './report.ts';
import { SnapshotInspection } from './snapshot-inspection.ts';
import { type Gap, Timeline } from './timeline.ts';

export interface FootageRequest {
  readonly directory: string;
  readonly keyPath: string;
  /** A camera's id or the beginning of one; all cameras when undefined. */
  readonly camera: string | undefined;
  readonly range: TimeRange;
  /** Where to write what opens; undefined to write nothing. */
  readonly out: string | undefined;
  /** Whether files already there may be replaced. */
  readonly force: boolean;
}

/** Opens footage as asked: key, directory, cameras, segments, and the movie if one is wanted. */
export async function openFootage(request: FootageRequest): Promise<FootageReport> {
  const key = readViewingKey(request.keyPath);
  const root = footageRoot(request.directory);
  const cameras = chooseCameras(camerasIn(root), request.camera);
  if (request.out !== undefined && cameras.length > 1) {
    throw new CommandError(
      'CAMERA_AMBIGUOUS',
      `there is footage of ${cameras.length} cameras: choose one with --camera ${cameras.join(' | ')}`,
    );
  }
  const guard = { force: request.force, inputs: [request.keyPath] };
  if (request.out !== undefined) checkOutput(request.out, guard);
  const holder = await dayKeyHolder(key, nodePrimitives);
  const sessions = cameras.map((camera) => ({ camera, files: sessionsOf(root, camera) }));
  const total = sessions
    .flatMap(({ files }) => files)
    .reduce((sum, { segments, snapshots }) => sum + segments.length + snapshots.length, 0);
  const progress = new Progress('segments and snapshots', total);
  const snapshots = new SnapshotInspection(request.range);
  const movie = request.out === undefined ? undefined : new MovieWriter(request.out, guard);
  const lines: SegmentLine[] = [];
  const expected = request.camera === undefined ? key.cameras.map(({ id }) => id) : [];
  const coverage = new Coverage(key.cameras, expected);
  const onHeader = (header: ParsedSessionHeader) => coverage.note(header);
  const onSession = async (session: OpenedSession, files: SessionFiles) => {
    await snapshots.inspect(session, files, () => progress.step());
  };
  const gaps: Gap[] = [];
  try {
    for (const { camera, files } of sessions) {
      const trusted = key.cameras.some(({ id }) => id === camera);
      const timeline = new Timeline(camera, request.range);
      const onOutside = (segment: OpenedSegment) => timeline.pass(segment);
      const inspection = { trusted, holder, range: request.range, onHeader, onSession, onOutside };
      for await (const inspected of inspectCamera(files, inspection)) {
        timeline.note(inspected);
        if (inspected.opened !== undefined) movie?.add(inspected.opened);
        lines.push(segmentLine(inspected));
        progress.step();
      }
      for (const gap of timeline.gaps) gaps.push(gap);
    }
    return report(lines, movie?.finish() ?? [], coverage.lines(), snapshots, gaps);
  } finally {
    progress.end();
    movie?.abandon();
  }
}

/** @throws CommandError FILE_UNREADABLE, KEY_MALFORMED. */
export function readViewingKey(path: string): ViewingKey {
  const text = readTextFile(path, MAX_VIEWING_KEY_BYTES);
  let key: ViewingKey;
  try {
    key = parseViewingKey(text);
  } catch (cause) {
    throw new CommandError(
      'KEY_MALFORMED',
      `${path} is not as it has to be: ${(cause as Error).message}`,
      cause,
    );
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    console.error(`oriel: warning: ${path} can be read by others; mend it with: chmod 600 ${path}`);
  }
  return key;
}

export function chooseCameras(cameras: readonly string[], wanted: string | undefined): readonly string[] {
  if (wanted === undefined) return cameras;
  const chosen = cameras.filter((camera) => camera.startsWith(wanted));
  if (chosen.length === 1) return chosen;
  const [code, what] =
    chosen.length === 0
      ? (['CAMERA_UNKNOWN', 'no camera'] as const)
      : (['CAMERA_AMBIGUOUS', 'more than one camera'] as const);
  throw new CommandError(code, `${what} here begins with ${wanted}; there is: ${cameras.join(', ')}`);
}
