import { COMMAND_NOT_FOUND, type Collected, collect } from '../../host/child.ts';
import { commandMissing } from './errors.ts';
import { redirectIn } from './ffmpeg-log.ts';

/** A short run of ffmpeg or ffprobe, to its end. */
export interface FfmpegTool {
  command: 'ffmpeg' | 'ffprobe';
  args: readonly string[];
  stdin: string | null;
  /** Longer than other tools may take. */
  timeoutMs?: number;
}

/** What it left behind; `code` null when it was killed: for its time, its output or an abort. */
export interface FfmpegResult {
  code: number | null;
  /** One character a byte. */
  stdout: string;
  stderr: string;
}

/** @throws CaptureError COMMAND_MISSING */
export type RunFfmpeg = (tool: FfmpegTool) => Promise<FfmpegResult>;

const TIMEOUT_MS = 10_000;
const OUTPUT_LIMIT = 1 << 20;

/** Runs tools within limits of time and output. */
export function ffmpegRunner(signal: AbortSignal): RunFfmpeg {
  return async ({ command, args, stdin, timeoutMs = TIMEOUT_MS }) => {
    let done: Collected;
    try {
      done = await collect(command, args, {
        stdin: stdin ?? undefined,
        timeoutMs,
        maxBytes: OUTPUT_LIMIT,
        signal,
        enough: (said) => redirectIn(said) !== undefined,
      });
    } catch (cause) {
      throw commandMissing('setpriv', cause);
    }
    if (done.code === COMMAND_NOT_FOUND) {
      throw commandMissing(command);
    }
    return { code: done.code, stdout: done.stdout.toString('latin1'), stderr: done.stderr };
  };
}
