import { concat } from '../crypto/bytes.ts';
import type { OpenedSession } from '../crypto/opener.ts';
import { rfc3339 } from '../crypto/time.ts';
import { FootageReader } from './footage-reader.ts';
import { refusalIn } from './inspected.ts';
import { type FootageReport, report, verdictOf } from './report.ts';
import {
  layOutSheet,
  type SheetDrawing,
  type SheetSection,
  type SheetTile,
  type TilePicture,
} from './sheet-layout.ts';
import { planSheet, type SegmentMoment, type SnapshotMoment, type Tile } from './sheet-plan.ts';
import type { PictureLine } from './snapshot-inspection.ts';
import { chooseCameras, type FootageRequest, type Visitor, verifyFootage } from './verification.ts';

/** Makes pictures: with sharp (sheet-canvas-node.ts), or a browser's canvas. */
export interface SheetCanvas {
  /** A snapshot's JPEG, as large as a tile. @throws FootageError PICTURE_MALFORMED for what is no such picture. */
  tileOfJpeg(jpeg: Uint8Array): Promise<TilePicture>;
  /** The picture with which a video, init segment and fragment, begins. @throws FootageError PICTURE_MALFORMED likewise. */
  tileOfVideo(video: Uint8Array): Promise<TilePicture>;
  /** The whole sheet as a file's bytes. */
  draw(drawing: SheetDrawing): Promise<Uint8Array>;
}

export interface SheetRequest extends FootageRequest {
  readonly columns: number;
  /** How many intervals a camera's time is divided into at most. */
  readonly most: number;
  readonly canvas: SheetCanvas;
  /** A camera's name as the sheet may show it; empty when it has none. */
  readonly nameOf: (camera: string) => string;
  /** Where the sheet goes. */
  readonly sink: SheetSink;
}

export interface SheetSink {
  /** Called before footage is read. Throws where the sheet could not be written. */
  check(): void;
  /** @returns the name that it has then. */
  write(image: Uint8Array): Promise<string>;
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

/**
 * Makes a contact sheet: verifies the footage, then shows snapshots, and keyframes where there are none.
 * @throws FootageError FOOTAGE_MISSING, CAMERA_UNKNOWN, CAMERA_AMBIGUOUS, FILE_UNREADABLE, SHEET_TOO_LARGE; what canvas and
 *   sink throw.
 */
export async function makeSheet(request: SheetRequest): Promise<SheetReport> {
  const { source, primitives, canvas, sink } = request;
  const cameras = chooseCameras(await source.cameras(), request.camera);
  sink.check();
  const rolls = new Map(cameras.map((camera): [string, PlacedMoment[]] => [camera, []]));
  const {
    lines,
    cameras: coverage,
    snapshots,
    gaps,
  } = await verifyFootage(request, cameras, collector(rolls));

  const painter = new Painter(new FootageReader(source, primitives), canvas);
  const sections = await paintSections(request, rolls, painter);
  const told = report(lines, [], coverage, snapshots, gaps);
  const refusedPictures = [...told.refusedPictures, ...painter.refused];
  const whole = { ...told, verdict: verdictOf(told.counts, refusedPictures), refusedPictures };
  if (sections.length === 0) return whole;
  const drawing = layOutSheet(sections, request.columns);
  const path = await sink.write(await canvas.draw(drawing));
  const { width, height } = drawing;
  return { ...whole, sheet: { path, width, height, ...painter.counts, gaps: whole.gapCount } };
}

/** Remembers when and where everything is that could be shown; nothing of the pictures is kept. */
function collector(rolls: ReadonlyMap<string, PlacedMoment[]>): Visitor {
  return {
    onSnapshots: (snapshots, session, camera) => {
      const moments = snapshots.map((snapshot) => ({ kind: 'snapshot' as const, ...snapshot, session }));
      rolls.get(camera)?.push(...moments);
    },
    onSegment: ({ camera, opened, path, sequence: number }, session) => {
      if (opened?.opening === undefined || opened.fragments.length === 0 || path === undefined) return;
      if (session === undefined) return;
      const { timeMs } = opened.header;
      const endMs = timeMs + opened.durationUs / 1000;
      rolls.get(camera)?.push({ kind: 'segment', timeMs, endMs, path, number, session });
    },
  };
}

async function paintSections(
  { most, nameOf, beginProgress }: SheetRequest,
  rolls: ReadonlyMap<string, readonly PlacedMoment[]>,
  painter: Painter,
): Promise<SheetSection[]> {
  const plans = [...rolls]
    .filter(([, moments]) => moments.length > 0)
    .map(([camera, moments]) => ({ camera, ...planSheet(moments, most) }));
  const progress = beginProgress(
    'pictures',
    plans.reduce((sum, { tiles }) => sum + tiles.length, 0),
  );
  const sections: SheetSection[] = [];
  for (const { camera, stepMs, tiles } of plans) {
    const name = nameOf(camera);
    const painted: SheetTile[] = [];
    for (const tile of tiles) {
      painted.push(await painter.paint(tile, camera, name));
      progress.step();
    }
    const heading = [name, `camera ${camera.slice(0, 8)}`, `every ${interval(stepMs)}`].filter(Boolean);
    sections.push({ heading: heading.join(' · '), tiles: painted });
  }
  progress.end();
  return sections;
}

/** Opens what a tile shows, again, and makes its picture. */
class Painter {
  readonly #reader: FootageReader;
  readonly #canvas: SheetCanvas;
  readonly refused: PictureLine[] = [];
  readonly counts = { snapshots: 0, keyframes: 0 };

  constructor(reader: FootageReader, canvas: SheetCanvas) {
    this.#reader = reader;
    this.#canvas = canvas;
  }

  async paint(tile: Tile<PlacedMoment>, camera: string, name: string): Promise<SheetTile> {
    if (tile.kind === 'gap') {
      return { picture: 'no footage', caption: span(tile.fromMs, tile.toMs) };
    }
    const { moment, others } = tile;
    for (const each of [moment, ...others]) {
      try {
        const picture = await this.#pictureOf(each);
        this.counts[each.kind === 'snapshot' ? 'snapshots' : 'keyframes'] += 1;
        return { picture, caption: [shortened(name), clock(each.timeMs)].filter(Boolean).join(' · ') };
      } catch (error) {
        this.refused.push({ camera, path: each.path, ...refusalIn(error) });
      }
    }
    return { picture: 'no picture that opens', caption: clock(moment.timeMs) };
  }
  async #pictureOf({ kind, path, number, session }: PlacedMoment): Promise<TilePicture> {
    if (kind === 'snapshot') {
      return this.#canvas.tileOfJpeg((await this.#reader.snapshot(path, number, session)).picture);
    }
    const { opening, fragments } = await this.#reader.segment(path, number, session);
    const nothing = new Uint8Array(0);
    return this.#canvas.tileOfVideo(concat(opening?.init ?? nothing, fragments[0]?.bytes ?? nothing));
  }
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
