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

/** A stretch of a run, for its rate. */
interface Stretch {
  readonly atMs: number;
  readonly mediaMs: number;
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
  readonly windowFromMs: number;
  readonly beganMs: number;
  readonly lastAtMs: number;
  readonly endMs: number;
  /** Of a video sample, as far as it is known by the fragments before. */
  readonly sampleMs: number;
  /** Since when the lag is well above the least and does not shrink, and what it was then. */
  readonly behind: { readonly sinceMs: number; readonly lagMs: number } | undefined;
  readonly stretches: readonly Stretch[];
}

/** The least lag is taken of so much of the past. */
const WINDOW_MS = 30_000;
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
/** A drift that a crystal does not have. */
const DRIFT = 0.003;
const DRIFT_MS = 2_000;
/** Stretches in a row that agree on another rate than 1: the further off, the fewer have to. */
const STRETCH_MS = 1_000;
const OFF_RATES = [
  { stretches: 3, offRate: 0.15, agree: 0.08 },
  { stretches: 6, offRate: 0.07, agree: 0.1 },
] as const;
const MOST_STRETCHES = 6;

/** The clock of a run whose first fragment is this, or whose last of a burst at its beginning is. */
export function beginRunClock(live: boolean, first: Arrival): RunClock {
  const endMs = (first.decodeTimeUs + first.durationUs) / 1000;
  const lagMs = first.atMs - endMs;
  return {
    live,
    lagMs,
    leastMs: lagMs,
    leastBeforeMs: lagMs,
    firstLeastMs: undefined,
    windowFromMs: first.atMs,
    beganMs: first.atMs,
    lastAtMs: first.atMs,
    endMs,
    sampleMs: sampleMs(first),
    behind: undefined,
    stretches: [{ atMs: first.atMs, mediaMs: endMs }],
  };
}

/** When a media time of the run was filmed, monotonic milliseconds. */
export function filmedMs(clock: RunClock, mediaUs: number): number {
  const lagMs = clock.live ? Math.min(clock.leastMs, clock.leastBeforeMs) : clock.leastMs;
  return mediaUs / 1000 + lagMs;
}

/** The clock after another fragment, and what is wrong with the time that the stream states. */
export function arrive(clock: RunClock, arrival: Arrival): { clock: RunClock; fault: TimeFault | undefined } {
  if (!clock.live) return { clock, fault: undefined };
  const { atMs } = arrival;
  const endMs = (arrival.decodeTimeUs + arrival.durationUs) / 1000;
  const lagMs = atMs - endMs;
  const fault = leapt(clock, atMs, endMs) || squeezed(clock, arrival, endMs) ? ('jump' as const) : undefined;
  const moved = { ...withLag(clock, atMs, lagMs), ...withStretch(clock, atMs, endMs) };
  const next = {
    ...moved,
    lagMs,
    lastAtMs: atMs,
    endMs,
    sampleMs: clock.sampleMs === 0 ? sampleMs(arrival) : clock.sampleMs * 0.9 + sampleMs(arrival) * 0.1,
  };
  return { clock: next, fault: fault ?? (isOffRate(next) || isAdrift(next) ? 'rate' : undefined) };
}

function leapt(clock: RunClock, atMs: number, endMs: number): boolean {
  const aheadMs = Math.min(clock.leastMs, clock.leastBeforeMs) - (atMs - endMs);
  const leapMs = endMs - clock.endMs - (atMs - clock.lastAtMs);
  return endMs < clock.endMs || aheadMs > AHEAD_MS || (aheadMs > LEAP_MS && leapMs > LEAP_MS);
}

/** Many pictures, hardly any time: while more time went by than they state. */
function squeezed(clock: RunClock, arrival: Arrival, endMs: number): boolean {
  const passedMs = arrival.atMs - clock.lastAtMs;
  if (arrival.samples < SQUEEZED_SAMPLES || endMs - clock.endMs > passedMs / 2) return false;
  return sampleMs(arrival) < clock.sampleMs * SQUEEZED;
}

function withLag(clock: RunClock, atMs: number, lagMs: number) {
  const over = atMs - clock.windowFromMs >= WINDOW_MS;
  const leastMs = over ? lagMs : Math.min(clock.leastMs, lagMs);
  const leastBeforeMs = over ? clock.leastMs : clock.leastBeforeMs;
  return {
    ...clock,
    leastMs,
    leastBeforeMs,
    firstLeastMs: over ? (clock.firstLeastMs ?? clock.leastMs) : clock.firstLeastMs,
    windowFromMs: over ? atMs : clock.windowFromMs,
    behind: behindAfter(clock, atMs, lagMs - Math.min(leastMs, leastBeforeMs)),
  };
}

function behindAfter({ behind }: RunClock, sinceMs: number, lagMs: number): RunClock['behind'] {
  if (lagMs <= BEHIND_MS) return undefined;
  const shrinks = behind !== undefined && lagMs < behind.lagMs - SHRINKS_MS;
  return behind === undefined || shrinks ? { sinceMs, lagMs } : behind;
}

function withStretch({ stretches }: RunClock, atMs: number, mediaMs: number) {
  const last = stretches.at(-1);
  if (last !== undefined && atMs - last.atMs < STRETCH_MS) return { stretches };
  return { stretches: [...stretches, { atMs, mediaMs }].slice(-MOST_STRETCHES - 1) };
}

function isOffRate({ stretches, lagMs, leastMs }: RunClock): boolean {
  const rates = stretches.slice(1).map((stretch, index) => {
    const before = stretches[index] as Stretch;
    return (stretch.mediaMs - before.mediaMs) / (stretch.atMs - before.atMs);
  });
  return OFF_RATES.some((off) => {
    if (rates.length < off.stretches) return false;
    const last = rates.slice(-off.stretches);
    const [least, most] = [Math.min(...last), Math.max(...last)];
    if (most - least >= off.agree) return false;
    // What makes up for a backlog is fast, too.
    return most < 1 - off.offRate || (least > 1 + off.offRate && lagMs <= leastMs);
  });
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
