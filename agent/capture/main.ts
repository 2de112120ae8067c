import { join } from 'node:path';
import type { CaptureEffects, CaptureEnd } from './effects.ts';
import { CaptureError } from './errors.ts';
import { openRunRequests, type RunRequests } from './run-requests.ts';
import { serveSnapshots } from './snapshots.ts';
import { parseSource, type Source } from './source.ts';
import { STALL_LIMITS, type StallLimits } from './stall-rules.ts';
import { openStatus } from './status-file.ts';
import { Supervisor } from './supervisor.ts';

export interface CaptureOptions {
  /** Holds media.fifo, capture.fifo and capture.json, and is the only place to write to. */
  runDir: string;
  /** A source URI; may hold a password, so it has no place in argv. */
  source: string;
  /** Sound is dropped otherwise. */
  audio: boolean;
  /** LAN hosts the owner listed. */
  lan: readonly string[];
  /** The command that makes a JPEG of a keyframe; without it the agent gets no snapshots. */
  snapshotWorker?: readonly string[];
  limits?: StallLimits;
}

/**
 * Keeps one ffmpeg at work between a source and media.fifo, one run for each ready token of the agent.
 * @throws CaptureError when the source is refused or cannot be played, or a command is missing
 * @throws HostError DISK_IO when a FIFO is missing
 */
export async function runCapture(options: CaptureOptions, effects: CaptureEffects): Promise<CaptureEnd> {
  const { logger } = effects;
  const status = openStatus(options.runDir, effects.clock);
  const over = new AbortController();
  let snapshots = Promise.resolve();
  let requests: RunRequests | undefined;
  try {
    const source = acceptSource(options);
    let told = false;
    requests = openRunRequests(join(options.runDir, 'capture.fifo'), {
      onEndRun: (why) => supervisor.endRun(why),
      onRefused() {
        if (!told) {
          told = true;
          logger.warn({}, 'capture.fifo brought a line that is no command');
        }
      },
    });
    const supervisor = new Supervisor({
      source,
      audio: options.audio,
      mediaPath: join(options.runDir, 'media.fifo'),
      limits: options.limits ?? STALL_LIMITS,
      requests,
      status,
      effects,
    });
    if (options.snapshotWorker !== undefined) {
      const signal = AbortSignal.any([effects.signal, over.signal]);
      snapshots = serveSnapshots(options.runDir, options.snapshotWorker, { ...effects, signal });
    }
    const end = await supervisor.supervise();
    status.publish({ state: end, pid: null });
    logger.info({ end }, 'capture ended');
    return end;
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? 'UNKNOWN');
    const line = error instanceof Error ? error.message : '';
    const why = error instanceof CaptureError ? error.why : undefined;
    status.publish({ state: 'failed', pid: null, lastError: { code, line, ...(why && { cause: why }) } });
    logger.error({ code, why, line }, 'capture failed');
    throw error;
  } finally {
    requests?.close();
    over.abort();
    await snapshots;
  }
}

function acceptSource(options: CaptureOptions): Source {
  const source = parseSource(options.source, options.lan);
  if (options.audio && !source.traits.sound) {
    throw new CaptureError('SOURCE_SILENT', 'a V4L2 camera brings no sound');
  }
  return source;
}
