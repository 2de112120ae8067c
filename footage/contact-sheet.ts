import { decodePicture } from '../agent/capture/jpeg.ts';
import { CommandError } from '../cli/errors.ts';
import { checkOutput, writeTextFile } from '../cli/files.ts';
import { Progress } from '../cli/progress.ts';
import { printable, rfc3339 } from '../cli/text.ts';
import { concat } from '../crypto/bytes.ts';
import type { OpenedSegment, OpenedSession } from '../crypto/opener.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { dayKeyHolder } from '../crypto/viewing-key.ts';
import { MediaError } from '../media/errors.ts';
import { Coverage } from './coverage.ts';
import { camerasIn, footageRoot, type SessionFiles, sessionsOf } from './footage-directory-node.ts';
import { openSegmentFile, openSnapshotFile } from './footage-reader.ts';
import { refusalIn, type TimeRange } from './inspected.ts';
import { inspectCamera } from './inspection.ts';
import { chooseCameras, readViewingKey } from './open-footage.ts';
import { type FootageReport, report, type SegmentLine, segmentLine, verdictOf } from './report.ts';
import {
  drawSheet,
  type SheetSection,
  type SheetTile,
  tileOfJpeg,
  tileOfPixels,
} from './sheet-canvas-node.ts';
import { planSheet, type SegmentMoment, type SnapshotMoment, type Tile } from './sheet-plan.ts';
import { type PictureLine, SnapshotInspection } from './snapshot-inspection.ts';
import { type Gap, Timeline } from './timeline.ts';

export interface SheetRequest {
  readonly directory: string;
  readonly keyPath: string;
  /** A camera's id or the beginning of one; all cameras when undefined. */
  readonly camera: string | undefined;
  readonly range: TimeRange;
  readonly out: string;
  readonly force: boolean;
  readonly columns: number;
  /** How many intervals a camera's time is divided into at most. */
  readonly most: number;
}

export interface SheetReport extends FootageReport {
  /** Absent when there was nothing to show. */
  readonly sheet?: {
    readonly path: string;
    readonly width: number;
    readonly height: number;
    readonly snapshots: number;
    /** Pictures taken from the segments themselves. */
    readonly keyframes: number;
    /** `gapCount`: a gap shorter than an interval has no tile. */
    readonly gaps: number;
  };
}

interface Place {
  readonly path: string;
  readonly number: number;
  readonly session: OpenedSession;
}
type PlacedMoment = (SnapshotMoment | SegmentMoment) & Place;

/** Makes a contact sheet: verifies the footage as `verify` does, then shows snapshots, and keyframes where there are none. */
export async function makeSheet(request: SheetRequest): Promise<SheetReport> {
  const { out, keyPath, range } = request;
  const format = formatOf(out);
  const key = readViewingKey(keyPath);
  const root = footageRoot(request.directory);
  const cameras = chooseCameras(camerasIn(root), request.camera);
  const guard = { force: request.force, inputs: [keyPath] };
  checkOutput(out, guard);
  const holder = await dayKeyHolder(key, nodePrimitives);
  const expected = request.camera === undefined ? key.cameras.map(({ id }) => id) : [];
  const coverage = new Coverage(key.cameras, expected);
  const all = cameras.map((camera) => ({ camera, files: sessionsOf(root, camera) }));
  const inspector = new Inspector(
    range,
    all.flatMap(({ files }) => files),
  );
  const rolls: { camera: string; moments: PlacedMoment[] }[] = [];
  for (const { camera, files } of all) {
    const trusted = key.cameras.some(({ id }) => id === camera);
    rolls.push({ camera, moments: await inspector.inspect(camera, files, { trusted, holder, coverage }) });
  }
  inspector.end();

  const painter = new Painter();
  const plans = rolls
    .filter(({ moments }) => moments.length > 0)
    .map(({ camera, moments }) => ({ camera, ...planSheet(moments, request.most) }));
  const progress = new Progress(
    'pictures',
    plans.reduce((sum, { tiles }) => sum + tiles.length, 0),
  );
  const sections: SheetSection[] = [];
  for (const { camera, stepMs, tiles } of plans) {
    const name = printable(key.cameras.find(({ id }) => id === camera)?.name ?? '');
    const painted: SheetTile[] = [];
    for (const tile of tiles) {
      painted.push(await painter.paint(tile, camera, name));
      progress.step();
    }
    const heading = [name, `camera ${camera.slice(0, 8)}`, `every ${interval(stepMs)}`].filter(Boolean);
    sections.push({ heading: heading.join(' · '), tiles: painted });
  }
  progress.end();

  const told = report(inspector.lines, [], coverage.lines(), inspector.snapshots, inspector.gaps);
  const refusedPictures = [...told.refusedPictures, ...painter.refused];
  const whole = { ...told, verdict: verdictOf(told.counts, refusedPictures), refusedPictures };
  if (sections.length === 0) return whole;
  const { bytes, width, height } = await drawSheet(sections, request.columns, format);
  checkOutput(out, guard);
  writeTextFile(out, bytes, 0o600);
  return { ...whole, sheet: { path: out, width, height, ...painter.counts, gaps: whole.gapCount } };
}

function formatOf(path: string): 'jpeg' | 'png' {
  if (/\.jpe?g$/i.test(path)) return 'jpeg';
  if (/\.png$/i.test(path)) return 'png';
  throw new CommandError('USAGE', 'the sheet is a picture: give --out a name that ends in .jpg or .png');
}

/** Opens all that there is, once, and remembers where and when it was; nothing of the pictures is kept. */
class Inspector {
  readonly lines: SegmentLine[] = [];
  readonly snapshots: SnapshotInspection;
  readonly gaps: Gap[] = [];
  readonly #range: TimeRange;
  readonly #progress: Progress;

  constructor(range: TimeRange, files: readonly SessionFiles[]) {
    this.#range = range;
    this.snapshots = new SnapshotInspection(range);
    const total = files.reduce((sum, { segments, snapshots }) => sum + segments.length + snapshots.length, 0);
    this.#progress = new Progress('segments and snapshots', total);
  }

  async inspect(
    camera: string,
    files: readonly SessionFiles[],
    {
      trusted,
      holder,
      coverage,
    }: { trusted: boolean; coverage: Coverage } & Pick<Parameters<typeof inspectCamera>[1], 'holder'>,
  ): Promise<PlacedMoment[]> {
    const moments: PlacedMoment[] = [];
    let current: OpenedSession | undefined;
    const onHeader = (header: OpenedSession['header']) => coverage.note(header);
    const onSession = async (session: OpenedSession, of: SessionFiles) => {
      current = session;
      const snapshots = await this.snapshots.inspect(session, of, () => this.#progress.step());
      moments.push(...snapshots.map((snapshot) => ({ kind: 'snapshot' as const, ...snapshot, session })));
    };
    const timeline = new Timeline(camera, this.#range);
    const onOutside = (segment: OpenedSegment) => timeline.pass(segment);
    const inspection = { trusted, holder, range: this.#range, onHeader, onSession, onOutside };
    for await (const inspected of inspectCamera(files, inspection)) {
      this.#progress.step();
      timeline.note(inspected);
      this.lines.push(segmentLine(inspected));
      const { opened, path, sequence: number } = inspected;
      if (opened?.opening === undefined || opened.fragments.length === 0 || path === undefined) continue;
      if (current === undefined) continue;
      const { timeMs } = opened.header;
      const endMs = timeMs + opened.durationUs / 1000;
      moments.push({ kind: 'segment', timeMs, endMs, path, number, session: current });
    }
    for (const gap of timeline.gaps) this.gaps.push(gap);
    return moments;
  }

  end(): void {
    this.#progress.end();
  }
}

/** Opens what a tile shows, again, and makes its picture. */
class Painter {
  readonly refused: PictureLine[] = [];
  readonly counts = { snapshots: 0, keyframes: 0 };

  async paint(tile: Tile<PlacedMoment>, camera: string, name: string): Promise<SheetTile> {
    if (tile.kind === 'gap') {
      return { picture: 'no footage', caption: span(tile.fromMs, tile.toMs) };
    }
    const { moment, others } = tile;
    for (const each of [moment, ...others]) {
      try {
        const picture = await pictureOf(each);
        this.counts[each.kind === 'snapshot' ? 'snapshots' : 'keyframes'] += 1;
        return { picture, caption: [shortened(name), clock(each.timeMs)].filter(Boolean).join(' · ') };
      } catch (error) {
        this.refused.push({ camera, path: each.path, ...refusalIn(pictureError(error)) });
      }
    }
    return { picture: 'no picture that opens', caption: clock(moment.timeMs) };
  }
}

async function pictureOf({ kind, path, number, session }: PlacedMoment): Promise<Buffer> {
  if (kind === 'snapshot') return tileOfJpeg((await openSnapshotFile(path, number, session)).picture);
  const { opening, fragments } = await openSegmentFile(path, number, session);
  const video = concat(opening?.init ?? new Uint8Array(0), fragments[0]?.bytes ?? new Uint8Array(0));
  return tileOfPixels(await decodePicture(video, TILE_SOURCE_WIDTH, new AbortController().signal));
}

/** As wide as a tile: ffmpeg scales it down. */
const TILE_SOURCE_WIDTH = 320;

/** Video that no picture comes of is the segment's fault, not the command's. */
function pictureError(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  if (code === 'COMMAND_MISSING') return error;
  if (error instanceof MediaError || code === 'PICTURE_FAILED') {
    return new CommandError('PICTURE_MALFORMED', String(message), error);
  }
  return error;
}

const clock = (timeMs: number) =>
  rfc3339(timeMs)
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');

/** Of a day the end's time is enough; of more than one, minutes are. */
function span(fromMs: number, toMs: number): string {
  const [from, to] = [clock(fromMs), clock(toMs)];
  if (from.slice(0, 10) === to.slice(0, 10)) return `${from} to ${to.slice(11)}`;
  return [from, to].map((time) => time.replace(/:\d\dZ$/, 'Z')).join(' to ');
}

const shortened = (name: string) => (name.length > 18 ? `${name.slice(0, 17)}…` : name);

function interval(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}
