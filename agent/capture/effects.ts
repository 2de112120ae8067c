import type { Clock } from '../../host/clock.ts';

export interface CaptureLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface CaptureEffects {
  clock: Clock;
  /** 0 to 1, for the jitter of restarts. */
  random(): number;
  logger: CaptureLogger;
  /** Ends capture, ffmpeg first. */
  signal: AbortSignal;
}

/** How capture ended without failing: the source was played to its end, or it was asked to stop. */
export type CaptureEnd = 'finished' | 'stopped';
