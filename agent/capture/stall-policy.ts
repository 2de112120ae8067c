/** What is remembered of a run's output; times are monotonic milliseconds. */
export interface OutputWatch {
  startedAt: number;
  /** Output so far; null times: no byte yet. */
  bytes: number;
  firstAt: number | null;
  grewAt: number | null;
}

export interface StallLimits {
  /** To the first byte: cameras take seconds to begin. */
  startMs: number;
  /** Between bytes. Sampled each second, it has to be noticed within 5 s. */
  silenceMs: number;
}

export const STALL_LIMITS: StallLimits = { startMs: 10_000, silenceMs: 4_000 };

export function watchOutput(startedAt: number): OutputWatch {
  return { startedAt, bytes: 0, firstAt: null, grewAt: null };
}

/** The watch after a sample of the output counter, which may waver downwards. */
export function sampleOutput(watch: OutputWatch, at: number, bytes: number): OutputWatch {
  if (bytes <= watch.bytes) {
    return watch;
  }
  return { startedAt: watch.startedAt, bytes, firstAt: watch.firstAt ?? at, grewAt: at };
}

export function isStalled(watch: OutputWatch, at: number, limits: StallLimits): boolean {
  return watch.grewAt === null
    ? at - watch.startedAt >= limits.startMs
    : at - watch.grewAt >= limits.silenceMs;
}

/** Milliseconds from the first byte to the last. */
export function goodOutputMs(watch: OutputWatch): number {
  return (watch.grewAt ?? 0) - (watch.firstAt ?? 0);
}
