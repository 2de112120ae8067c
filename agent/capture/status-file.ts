import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../host/clock.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { CAUSES, CaptureError } from './errors.ts';
import { CONCESSIONS } from './learnt-plan.ts';
import { RESTART_CAUSES, type RestartCause } from './restart-rules.ts';

/** Longest capture.json, in bytes. */
const STATE_LIMIT = 8192;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const text = v.pipe(v.string(), v.maxLength(2048));

const CaptureStateSchema = v.strictObject({
  state: v.picklist(['waiting', 'running', 'backoff', 'finished', 'failed', 'stopped']),
  /** The run of the latest ready token used; 0 before the first. */
  run: count,
  /** Without credentials. */
  source: text,
  mode: v.nullable(v.picklist(['copy', 'encode'])),
  encoder: v.nullable(v.picklist(['libx264', 'h264_v4l2m2m'])),
  restarts: v.strictObject({
    exited: count,
    stalled: count,
    rubbish: count,
    gop: count,
    time: count,
    replanned: count,
    unread: count,
    superseded: count,
    unprobed: count,
    redirected: count,
  }),
  /**
   * `code` is a RunEnd or a CaptureErrorCode; `first` and `line` are ffmpeg's first and last complaint, scrubbed; `cause`
   * is what they mean, where that is known.
   */
  lastError: v.nullable(
    v.strictObject({
      code: text,
      line: text,
      first: v.optional(text),
      cause: v.optional(v.picklist(CAUSES)),
    }),
  ),
  /** What the runs do without, because of what happened with it, and since when (ms since 1970). */
  givenUp: v.pipe(
    v.array(v.strictObject({ what: v.picklist(CONCESSIONS), because: text, line: text, since: v.number() })),
    v.maxLength(CONCESSIONS.length),
  ),
  /** ffmpeg's, while it runs. */
  pid: v.nullable(count),
  /** Of this state: milliseconds since 1970, by the wall clock, for display. */
  since: v.number(),
});

/** What capture says of itself in `capture.json`. */
export type CaptureState = v.InferOutput<typeof CaptureStateSchema>;

/**
 * Replaces `capture.json` in one step. Not synced: the run directory does not outlive a power cut. On a disk that is
 * full or fails the old state stays: the recording does not wait for it.
 */
export function writeCaptureState(runDir: string, state: CaptureState): void {
  const path = statePath(runDir);
  try {
    writeFileSync(`${path}.tmp`, `${JSON.stringify(state)}\n`, { mode: 0o640 });
    renameSync(`${path}.tmp`, path);
  } catch (error) {
    if ((error as { code?: unknown }).code === undefined) throw error;
  }
}

/**
 * What capture said last, or null before it said anything.
 * @throws CaptureError STATE_INVALID
 */
export function readCaptureState(runDir: string): CaptureState | null {
  let bytes: Buffer | undefined;
  try {
    // Capture's user may have put anything there.
    bytes = readRegularFile(statePath(runDir), { maxBytes: STATE_LIMIT });
  } catch (cause) {
    throw new CaptureError('STATE_INVALID', 'capture.json cannot be read', cause);
  }
  return bytes === undefined ? null : parseCaptureState(bytes.toString('utf8'));
}

/**
 * @param json at most 8 KiB
 * @throws CaptureError STATE_INVALID
 */
export function parseCaptureState(json: string): CaptureState {
  try {
    return v.parse(CaptureStateSchema, JSON.parse(json));
  } catch (cause) {
    throw new CaptureError('STATE_INVALID', 'capture.json is malformed', cause);
  }
}

function statePath(runDir: string): string {
  return join(runDir, 'capture.json');
}

/** What capture says of itself, kept in step with capture.json. */
export interface Status {
  /** Writes `capture.json`: on changes only, which come at most as often as runs do. */
  publish(change: Partial<Omit<CaptureState, 'restarts' | 'since'>>): void;
  /** Counts a restart; written with the next change. */
  count(cause: RestartCause): void;
}

export function openStatus(runDir: string, clock: Clock): Status {
  const restarts = Object.fromEntries(RESTART_CAUSES.map((cause) => [cause, 0])) as Record<
    RestartCause,
    number
  >;
  let current: CaptureState = {
    state: 'waiting',
    run: 0,
    source: '',
    mode: null,
    encoder: null,
    restarts,
    lastError: null,
    givenUp: [],
    pid: null,
    since: clock.now(),
  };
  return {
    publish(change) {
      const since = (change.state ?? current.state) === current.state ? current.since : clock.now();
      current = { ...current, ...change, since };
      writeCaptureState(runDir, current);
    },
    count(cause) {
      restarts[cause]++;
    },
  };
}
