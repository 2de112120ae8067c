import type { RunFfmpeg } from '../../agent/capture/ffmpeg-runner.ts';
import { collect } from '../../host/child.ts';

/** Long enough for a busy machine; nothing is asserted of it. */
const PATIENCE_MS = 240_000;

/** Runs ffmpeg and ffprobe as capture does, with more patience. */
export const patientTool: RunFfmpeg = async ({ command, args, stdin }) => {
  const { code, stdout, stderr } = await collect(command, args, {
    stdin: stdin ?? undefined,
    timeoutMs: PATIENCE_MS,
    maxBytes: 1 << 20,
    signal: new AbortController().signal,
  });
  return { code, stdout: stdout.toString('latin1'), stderr };
};
