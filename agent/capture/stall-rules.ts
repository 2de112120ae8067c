/** What is remembered of a run's output; times are monotonic milliseconds. */
export interface OutputWatch {
  startedAt: number;
  /** When ffmpeg had opened the source. */
  openedAt: number | null;
  /** Output so far; null times: no byte yet. */
  bytes: number;
  firstAt: number | null;
  grewAt: number | null;
}

export interface StallLimits {
  /** Until the source is open: cameras take seconds to begin. */
  startMs: number;
  /** From then to the first byte. */
  firstMs: number;
  /** Between bytes. Sampled each second, it has to be noticed within 5 s. */
  silenceMs: number;
}

export const STALL_LIMITS: StallLimits = { startMs: 15_000, firstMs: 4_000, silenceMs: 4_000 };
/** A stream that is encoded waits for its next keyframe. ffmpeg itself gives up a camera that sends nothing. */
const KEYFRAME_MS = 130_000;
/**
 * What a network camera does not describe is in its next keyframe alone, and ffmpeg opens it with that. One that sends
 * nothing, ffmpeg gives up by itself.
 */
export const DESCRIBED_MS = 65_000;
/** Frames that may be missing before it is called silence. */
const FRAMES = 3;
/** Of a file that is played once more than its beginning is not known. */
const ONCE_MS = 60_000;

export interface StallFacts {
  /** As SourceTraits. */
  readonly opensWithKeyframe: boolean;
  readonly encodes: boolean;
  /** Frames a second, null where that is not known. */
  readonly rate: number | null;
  /** The longest time between two packets of a file, as far as it was measured. */
  readonly pauseSeconds: number;
  /** A file that is not begun again at its end. */
  readonly once: boolean;
}

/** The limits for one run: a source may pause for as long as it is known to. */
export function stallLimits(
  { opensWithKeyframe, encodes, rate, pauseSeconds, once }: StallFacts,
  base: StallLimits = STALL_LIMITS,
): StallLimits {
  const usualMs = base.silenceMs + pauseSeconds * 1000;
  const silenceMs = Math.max(usualMs, rate === null ? 0 : (FRAMES * 1000) / rate, once ? ONCE_MS : 0);
  const startMs = opensWithKeyframe ? Math.max(base.startMs, DESCRIBED_MS) : base.startMs;
  const firstMs = opensWithKeyframe && encodes ? KEYFRAME_MS : Math.max(base.firstMs, silenceMs);
  return { startMs, firstMs, silenceMs };
}

export function watchOutput(startedAt: number): OutputWatch {
  return { startedAt, openedAt: null, bytes: 0, firstAt: null, grewAt: null };
}

/** The watch after a sample of the output counter, which may waver downwards. */
export function sampleOutput(watch: OutputWatch, at: number, bytes: number): OutputWatch {
  if (bytes <= watch.bytes) {
    return watch;
  }
  return { ...watch, bytes, firstAt: watch.firstAt ?? at, grewAt: at };
}

/** The watch once ffmpeg has opened the source. */
export const sourceOpened = (watch: OutputWatch, at: number): OutputWatch =>
  watch.openedAt === null ? { ...watch, openedAt: at } : watch;

export function isStalled(watch: OutputWatch, at: number, limits: StallLimits): boolean {
  if (watch.grewAt !== null) return at - watch.grewAt >= limits.silenceMs;
  if (watch.openedAt !== null) return at - watch.openedAt >= limits.firstMs;
  return at - watch.startedAt >= limits.startMs;
}

/** Milliseconds from the first byte to the last. */
export function goodOutputMs(watch: OutputWatch): number {
  return (watch.grewAt ?? 0) - (watch.firstAt ?? 0);
}
