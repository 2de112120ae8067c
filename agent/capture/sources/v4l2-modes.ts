import { CaptureError, causeText } from '../errors.ts';
import { type FrameSize, formatSize, isFrameSize } from '../frame-size.ts';

/** Sizes that a driver takes: those from `min` to `max` in steps, of which a single size is the least case. Pixels. */
export interface SizeRange {
  readonly min: FrameSize;
  readonly max: FrameSize;
  readonly step: FrameSize;
}

/** A pixel or codec format of a device, by ffmpeg's name; no sizes where the driver lists none. */
export interface Format {
  readonly name: string;
  readonly sizes: readonly SizeRange[];
}

/** What a device is asked for; null is left to the driver. */
export interface Mode {
  readonly format: string | null;
  readonly size: FrameSize | null;
  /** Frames a second. */
  readonly rate: number | null;
}

/** More are not read: the list comes from the device. */
const FORMATS = 32;
const SIZES = 256;
/** Frames a second. The driver takes the nearest that it has; ffmpeg's list does not tell which these are. */
const RATE = 30;

const LINE = /^(?:\[[^\]]*\] )?(?:\[info\] )?(?:Raw|Compressed) *: *([a-z0-9_]{1,16}) *:.* :((?: \S.*)?)$/;
/** One that ffmpeg has no name for, and cannot ask for. */
const UNNAMED = /(?:Raw|Compressed) *: Unsupported :/;
export const hasUnnamed = (stderr: string): boolean => UNNAMED.test(stderr);
const SIZE = /(\d{1,5})x(\d{1,5})|\{(\d{1,5})-(\d{1,5}), (\d{1,5})\}x\{(\d{1,5})-(\d{1,5}), (\d{1,5})\}/g;

/**
 * The formats that ffmpeg has a name for, from its `-list_formats all`: `Raw : yuyv422 : YUYV 4:2:2 : 640x480 320x240`,
 * or `{32-2592, 2}x{32-1944, 2}` for a range (libavdevice/v4l2.c, the same from 5.1 to 7.1).
 */
export function parseFormats(stderr: string): Format[] {
  const formats = new Map<string, SizeRange[]>();
  for (const line of stderr.split('\n')) {
    const [, name, listed = ''] = LINE.exec(line.trimEnd()) ?? [];
    if (name === undefined || (formats.size >= FORMATS && !formats.has(name))) continue;
    const sizes = [
      ...(formats.get(name) ?? []),
      ...[...listed.matchAll(SIZE)].map(([, ...found]) => rangeOf(found)),
    ];
    formats.set(name, sizes.slice(0, SIZES));
  }
  return [...formats].map(([name, sizes]) => ({ name, sizes }));
}

function rangeOf(found: readonly (string | undefined)[]): SizeRange {
  const [width, height, ...ends] = found.map(Number);
  if (found[0] !== undefined) {
    const one = { width: width ?? 0, height: height ?? 0 };
    return { min: one, max: one, step: { width: 1, height: 1 } };
  }
  const [left = 0, right = 0, across = 0, top = 0, bottom = 0, down = 0] = ends;
  return {
    min: { width: left, height: top },
    max: { width: right, height: bottom },
    // A continuous range has the step 0 or 1.
    step: { width: Math.max(across, 1), height: Math.max(down, 1) },
  };
}

/** Pictures as the lens sees them; of a raw one, USB 2 carries 30 a second at 640x480. */
const RAW = { width: 640, height: 480 };
const FULL = { width: 1920, height: 1080 };
const HALF = { width: 1280, height: 720 };

/**
 * The best first: H.264 costs this camera nothing, MJPEG comes large at a full rate, raw pictures come small, and what is
 * left has to be decoded. Grey, depth and infrared are no film of a room.
 */
const ORDER: readonly (readonly [name: RegExp, largest: FrameSize])[] = [
  [/^h264$/, FULL],
  [/^mjpeg$/, HALF],
  [/^yuyv422$/, RAW],
  [/^nv12$/, RAW],
  [/^yuv420p$/, RAW],
  [/^(?:uyvy422|yvyu422|yuv422p|yuv411p|yuv410p|nv21)$/, RAW],
  [/^(?:rgb|bgr|0rgb|0bgr|argb|abgr)/, RAW],
  [/^bayer_/, RAW],
  [/^(?:hevc|mpeg4)$/, HALF],
];

const rankOf = (name: string) => ORDER.findIndex(([names]) => names.test(name));
const largestOf = (name: string) => ORDER[rankOf(name)]?.[1] ?? RAW;

/**
 * What to ask a device for. Pure. What the owner asks for wins, or is refused if the device does not have it.
 * @param formats what it has; empty: it does not say
 * @throws CaptureError SOURCE_OPTION for what it does not have, NO_VIDEO if it has grey or depth pictures alone
 */
export function chooseMode(formats: readonly Format[], wanted: Mode): Mode {
  const rate = wanted.rate ?? RATE;
  if (formats.length === 0) return { ...wanted, rate };
  const { format, size } = wanted;
  const asked = formats.filter(({ name }) => (format === null ? rankOf(name) !== -1 : name === format));
  if (format === null && asked.length === 0) {
    throw colourless();
  }
  const [best] = asked
    .filter(({ sizes }) => size === null || sizes.length === 0 || sizes.some((range) => holds(range, size)))
    .sort((a, b) => rankOf(a.name) - rankOf(b.name));
  if (best === undefined) throw refused(formats, wanted);
  return { format: best.name, size: size ?? bestSize(best), rate };
}

export const colourless = () =>
  new CaptureError('NO_VIDEO', causeText('device-colourless'), undefined, 'device-colourless');

function holds({ min, max, step }: SizeRange, { width, height }: FrameSize): boolean {
  const within = (side: number, least: number, most: number, by: number) =>
    side >= least && side <= most && (side - least) % by === 0;
  return (
    within(width, min.width, max.width, step.width) && within(height, min.height, max.height, step.height)
  );
}

/** The best size of a format; null: the driver's. */
function bestSize({ name, sizes }: Format): FrameSize | null {
  const most = largestOf(name);
  const all = sizes.map((range) => nearest(range, most)).filter(isFrameSize);
  if (most === RAW) return first(all, (size) => Math.abs(Math.log(area(size) / area(RAW))));
  const fits = all.filter(({ width, height }) => width <= most.width && height <= most.height);
  return first(fits, (size) => -area(size)) ?? first(all, area);
}

const area = ({ width, height }: FrameSize) => width * height;
const first = (sizes: readonly FrameSize[], by: (size: FrameSize) => number): FrameSize | null =>
  sizes.toSorted((a, b) => by(a) - by(b))[0] ?? null;

/** Of a range the even size that comes nearest to another. */
function nearest({ min, max, step }: SizeRange, { width, height }: FrameSize): FrameSize {
  return {
    width: nearestSide(min.width, max.width, step.width, width),
    height: nearestSide(min.height, max.height, step.height, height),
  };
}

function nearestSide(least: number, most: number, by: number, wish: number): number {
  const side = least + Math.floor((Math.min(Math.max(wish, least), most) - least) / by) * by;
  if (side % 2 === 0 || by % 2 === 0) return side;
  if (side - by >= least) return side - by;
  return side + by <= most ? side + by : side;
}

/** What is shown of a list, so that a line of status can hold it. */
const SHOWN = 12;

function refused(formats: readonly Format[], { format, size }: Mode): CaptureError {
  const wish = [format, size && formatSize(size)].filter((each) => each !== null).join(' ');
  const named = formats.filter(({ name }) => name === format);
  const isFormat = format !== null && named.length === 0;
  const has = isFormat
    ? formats.map(({ name }) => name)
    : (named.length > 0 ? named : formats).flatMap(({ sizes }) => sizes.map(rangeText));
  const all = [...new Set(has)];
  const shown = [...all.slice(0, SHOWN), ...(all.length > SHOWN ? ['…'] : [])].join(', ');
  const message = `the camera does not have ${wish}; ${named.length > 0 ? `of ${format} ` : ''}it has ${shown}`;
  return new CaptureError('SOURCE_OPTION', message, undefined, 'device-mode');
}

function rangeText({ min, max }: SizeRange): string {
  return formatSize(min) === formatSize(max) ? formatSize(min) : `${formatSize(min)} to ${formatSize(max)}`;
}
