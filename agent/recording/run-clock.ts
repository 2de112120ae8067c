/** How much of a stream is taken in one second, so that capture cannot take all of the agent's time. Pure. */

/** Bytes a second; a fragment costs as much as so many of them. Several times what any camera films. */
const BYTES_PER_SECOND = 32 * 1024 * 1024;
const FRAGMENT_BYTES = 64 * 1024;
/** What may come at once, after a pause. */
const BURST_BYTES = 4 * BYTES_PER_SECOND;

export interface Pace {
  /** Bytes that may be taken without waiting; below 0, what is owed. */
  readonly left: number;
  /** Monotonic ms. */
  readonly atMs: number;
}

export const beginPace = (atMs: number): Pace => ({ left: BURST_BYTES, atMs });

/** The pace after something was taken, and how long to take nothing, ms. */
export function take(
  { left, atMs }: Pace,
  nowMs: number,
  bytes: number,
  fragments: number,
): Pace & { readonly waitMs: number } {
  const regained = ((nowMs - atMs) / 1000) * BYTES_PER_SECOND;
  const now = Math.min(BURST_BYTES, left + regained) - bytes - fragments * FRAGMENT_BYTES;
  return { left: now, atMs: nowMs, waitMs: now >= 0 ? 0 : Math.ceil((-now / BYTES_PER_SECOND) * 1000) };
}

/**
 * When what a run brings was filmed, and whether the time that it states is the time that went by. Pure. Times of arrival
 * are monotonic milliseconds, media times microseconds.
 */

/** A fragment as it arrives. */
export interface Arrival {
  readonly atMs: number;
  /** Decode time of its first video sample. */
  readonly decodeTimeUs: number;
  readonly durationUs: number;
  /** Video samples. */
  readonly samples: number;
}

/**
 * - `jump`: media time leapt ahead, or stands still while pictures come (ffmpeg squeezes what goes back in time).
 * - `rate`: it runs faster or slower than time does.
 */
export type TimeFault = 'jump' | 'rate';

/** Up to which media time a file was taken in, µs, and when that was, monotonic milliseconds. */
export interface Taken {
  readonly mediaUs: number;
  readonly atMs: number;
}

/** How late a fragment came, for the rate. */
interface Point {
  readonly atMs: number;
  readonly lagMs: number;
}

export interface RunClock {
  /** Whether the source's time is the world's; a file's is its own, whatever the pace. */
  readonly live: boolean;
  /** From a fragment's end by media time to its arrival; the least of late is what filming and delivering takes. */
  readonly lagMs: number;
  /** The least of the window that grows, and of the one before; the first window's. */
  readonly leastMs: number;
  readonly leastBeforeMs: number;
  readonly firstLeastMs: number | undefined;
  /** What dates are made with: the least, but for what it wavers. */
  readonly datedMs: number;
  readonly windowFromMs: number;
  readonly beganMs: number;
  readonly lastAtMs: number;
  readonly endMs: number;
  /** Of a video sample, as far as it is known by the fragments before. */
  readonly sampleMs: number;
  /** Since when the lag is well above the least and does not shrink, and what it was then. */
  readonly behind: { readonly sinceMs: number; readonly lagMs: number } | undefined;
  /** Of the last seconds. */
  readonly points: readonly Point[];
}

/** What is read ahead comes at a multiple of its pace, on a busy machine too: the fragments of so long show it. */
const PACE_MS = 400;
const PACE = 1.4;
/** The least lag is taken of so much of the past. */
const WINDOW_MS = 30_000;
/**
 * The least lag of a run still falls and rises by some milliseconds, and falls more often. Dates that followed it would have
 * each segment begin a little before the end of the one before it, and a gap before the run last as much too long.
 */
const WAVERS_MS = 50;
/** What one fragment may leap ahead, and what a run may be ahead in all. */
const LEAP_MS = 1_500;
const AHEAD_MS = 3_000;
/** A backlog that a network held up is here within seconds; stamps that are behind stay so. */
const BEHIND_MS = 1_500;
const BEHIND_FOR_MS = 3_000;
const SHRINKS_MS = 200;
/** What pictures that are squeezed together leave of their own time, and how many of them show it. */
const SQUEEZED = 1 / 4;
const SQUEEZED_SAMPLES = 10;
/** No camera films as fast as this. */
const SHORTEST_MS = 2;
/** A drift that a crystal does not have. */
const DRIFT = 0.003;
const DRIFT_MS = 2_000;
/** The lag grows or shrinks as a line, by this share of the time: the less, the longer it has to. */
const SLOPES = [
  { overMs: 4_000, slope: 0.12 },
  { overMs: 8_000, slope: 0.06 },
] as const;
/** What points are off their line, as a share of what the line rises. */
const STRAIGHT = 0.08;
/** A point is the least lag of so long, and none is missing: a network holds up now this fragment, now that. */
const POINT_MS = 500;
const FARTHEST_MS = 1_000;
const MOST_POINTS = 8_000 / POINT_MS + 1;

/** A file's run: what it may repeat of the one before, come too early, and have been away. */
const REPEATED_US = 100_000;
const EARLY_MS = 1_000;
const AWAY_MS = 15_000;

/**
 * The clock of a run whose first fragment is this, or whose last of a burst at its beginning is.
 * @param burst all of it: of those that came at the pace of their source the least late counts.
 */
export function beginRunClock(live: boolean, first: Arrival, burst: readonly Arrival[] = []): RunClock {
  const endMs = endOf(first);
  const lagMs = first.atMs - endMs;
  // Sound alone has another track's time.
  const atPace = burst.filter(({ atMs, samples }) => samples > 0 && first.atMs - atMs <= PACE_MS);
  const least = Math.min(lagMs, ...atPace.map((each) => each.atMs - endOf(each)));
  return {
    live,
    lagMs,
    leastMs: least,
    leastBeforeMs: least,
    firstLeastMs: undefined,
    datedMs: least,
    windowFromMs: first.atMs,
    beganMs: first.atMs,
    lastAtMs: first.atMs,
    endMs,
    sampleMs: sampleMs(first),
    behind: undefined,
    points: [{ atMs: first.atMs, lagMs }],
  };
}

/**
 * Whether a file's run goes on where the one before ended, so that the file's time does, too: it was away for no longer than
 * a restart takes, and what it brings first is neither here already nor far ahead.
 */
export function isGoingOn(taken: Taken | undefined, first: Arrival): boolean {
  if (taken === undefined || first.decodeTimeUs < taken.mediaUs - REPEATED_US) return false;
  const playedMs = (first.decodeTimeUs + first.durationUs - taken.mediaUs) / 1000;
  const awayMs = first.atMs - taken.atMs - playedMs;
  return awayMs > -EARLY_MS && awayMs < AWAY_MS;
}

/** When a media time of the run was filmed, monotonic milliseconds. */
export function filmedMs(clock: RunClock, mediaUs: number): number {
  return mediaUs / 1000 + clock.datedMs;
}

/** The clock after another fragment, and what is wrong with the time that the stream states. */
export function arrive(clock: RunClock, arrival: Arrival): { clock: RunClock; fault: TimeFault | undefined } {
  // Sound alone has another track's time.
  if (!clock.live || arrival.samples === 0) return { clock, fault: undefined };
  const { atMs } = arrival;
  const endMs = endOf(arrival);
  const lagMs = atMs - endMs;
  const fault = leapt(clock, atMs, endMs) || squeezed(clock, arrival, endMs) ? ('jump' as const) : undefined;
  const moved = { ...withLag(clock, atMs, lagMs), points: withPoint(clock.points, { atMs, lagMs }) };
  const next = {
    ...moved,
    lagMs,
    lastAtMs: atMs,
    endMs,
    sampleMs: clock.sampleMs === 0 ? sampleMs(arrival) : clock.sampleMs * 0.9 + sampleMs(arrival) * 0.1,
  };
  return { clock: next, fault: fault ?? (isOffRate(next) || isAdrift(next) ? 'rate' : undefined) };
}

const endOf = ({ decodeTimeUs, durationUs }: Arrival) => (decodeTimeUs + durationUs) / 1000;

function leapt(clock: RunClock, atMs: number, endMs: number): boolean {
  const aheadMs = Math.min(clock.leastMs, clock.leastBeforeMs) - (atMs - endMs);
  const leapMs = endMs - clock.endMs - (atMs - clock.lastAtMs);
  return endMs < clock.endMs || aheadMs > AHEAD_MS || (aheadMs > LEAP_MS && leapMs > LEAP_MS);
}

/** Many pictures, hardly any time: while more time went by than they state. */
function squeezed(clock: RunClock, arrival: Arrival, endMs: number): boolean {
  const passedMs = arrival.atMs - clock.lastAtMs;
  if (arrival.samples < SQUEEZED_SAMPLES || endMs - clock.endMs > passedMs / 2) return false;
  return sampleMs(arrival) < Math.max(clock.sampleMs * SQUEEZED, SHORTEST_MS);
}

/** Whether what came last of a run that was read ahead came as fast as it was filmed. */
export function isAtPace(burst: readonly Arrival[]): boolean {
  const last = burst.at(-1);
  const from = last && burst.findLast(({ atMs }) => last.atMs - atMs >= PACE_MS);
  if (last === undefined || from === undefined) return false;
  return endOf(last) - endOf(from) <= (last.atMs - from.atMs) * PACE;
}

/**
 * Where the time of fragments that came all at once leaps ahead or stands still: they come faster than they were filmed,
 * so only what no source does is wrong. @returns an index, undefined where nothing is.
 */
export function leapIn(burst: readonly Arrival[]): number | undefined {
  const lengths = burst.filter(({ samples }) => samples > 0).map(sampleMs);
  const usualMs = lengths.toSorted((a, b) => a - b)[lengths.length >> 1] ?? 0;
  const found = burst.findIndex((arrival, index) => {
    const passedMs = arrival.atMs - (burst[index - 1] ?? arrival).atMs;
    const leaps = arrival.durationUs / 1000 - arrival.samples * usualMs > AHEAD_MS + passedMs;
    return leaps || (arrival.samples >= SQUEEZED_SAMPLES && sampleMs(arrival) < SHORTEST_MS);
  });
  return found === -1 ? undefined : found;
}

/** How much of what a fragment states it can be believed, µs, where the time of its stream was not compared, or is wrong. */
export function credibleUs({ durationUs, atMs }: Arrival, beforeMs: number): number {
  return Math.min(durationUs, (atMs - beforeMs + AHEAD_MS) * 1000);
}

function withLag(clock: RunClock, atMs: number, lagMs: number) {
  const over = atMs - clock.windowFromMs >= WINDOW_MS;
  const leastMs = over ? lagMs : Math.min(clock.leastMs, lagMs);
  const leastBeforeMs = over ? clock.leastMs : clock.leastBeforeMs;
  const leastOfAllMs = Math.min(leastMs, leastBeforeMs);
  return {
    ...clock,
    leastMs,
    leastBeforeMs,
    datedMs: Math.abs(leastOfAllMs - clock.datedMs) > WAVERS_MS ? leastOfAllMs : clock.datedMs,
    firstLeastMs: over ? (clock.firstLeastMs ?? clock.leastMs) : clock.firstLeastMs,
    windowFromMs: over ? atMs : clock.windowFromMs,
    behind: behindAfter(clock, atMs, lagMs - leastOfAllMs),
  };
}

function behindAfter({ behind }: RunClock, sinceMs: number, lagMs: number): RunClock['behind'] {
  if (lagMs <= BEHIND_MS) return undefined;
  const shrinks = behind !== undefined && lagMs < behind.lagMs - SHRINKS_MS;
  return behind === undefined || shrinks ? { sinceMs, lagMs } : behind;
}

function withPoint(points: readonly Point[], point: Point): readonly Point[] {
  const last = points.at(-1);
  if (last === undefined || point.atMs - last.atMs > FARTHEST_MS) return [point];
  const isSame = Math.floor(point.atMs / POINT_MS) === Math.floor(last.atMs / POINT_MS);
  if (isSame) return point.lagMs < last.lagMs ? [...points.slice(0, -1), point] : points;
  return [...points, point].slice(-MOST_POINTS);
}

function isOffRate({ points, lagMs, leastMs }: RunClock): boolean {
  return SLOPES.some(({ overMs, slope }) => {
    // The newest one may still become less.
    const whole = points.slice(0, -1).slice(-overMs / POINT_MS);
    if (whole.length < overMs / POINT_MS) return false;
    const line = lineThrough(whole);
    const isStraight = line.offMs < STRAIGHT * Math.abs(line.slope) * overMs;
    // What makes up for a backlog shrinks, too.
    return isStraight && (line.slope > slope || (line.slope < -slope && lagMs - leastMs <= line.offMs));
  });
}

/** The line nearest to points (least squares), and how far they are off it (root of the mean square). */
function lineThrough(points: readonly Point[]): { slope: number; offMs: number } {
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [atMs, lagMs] = [mean((point) => point.atMs), mean((point) => point.lagMs)];
  const spread = mean((point) => (point.atMs - atMs) ** 2);
  const slope = mean((point) => (point.atMs - atMs) * (point.lagMs - lagMs)) / spread;
  const offMs = Math.sqrt(mean((point) => (point.lagMs - lagMs - slope * (point.atMs - atMs)) ** 2));
  return { slope, offMs };
}

function isAdrift(clock: RunClock): boolean {
  const { behind, lastAtMs, firstLeastMs, leastBeforeMs, beganMs } = clock;
  if (behind !== undefined && lastAtMs - behind.sinceMs >= BEHIND_FOR_MS) return true;
  if (firstLeastMs === undefined) return false;
  const driftMs = Math.abs(leastBeforeMs - firstLeastMs);
  return driftMs > DRIFT_MS && driftMs > DRIFT * (lastAtMs - beganMs);
}

const sampleMs = ({ durationUs, samples }: Arrival): number =>
  samples === 0 ? 0 : durationUs / 1000 / samples;
