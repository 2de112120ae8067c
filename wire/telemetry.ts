import * as v from 'valibot';
import { IdText } from '../crypto/ids.ts';

/** What a camera tells of its health, every half minute and when asked: sizes in bytes, times in seconds. */

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const seconds = v.pipe(v.number(), v.finite(), v.minValue(0));
const text = v.pipe(v.string(), v.maxLength(64));

/** Members of later cameras are passed over. */
export const Telemetry = v.object({
  /** When, milliseconds since 1970, by `clock`: for display. */
  at: count,
  clock: v.picklist(['machine', 'server', 'trusted']),
  state: v.picklist(['waiting', 'running', 'draining', 'stopped']),
  versions: v.strictObject({ oriel: text, node: text }),
  /** Since the agent started. */
  uptimeSeconds: seconds,
  /**
   * Over all lives of the agent: captured = acknowledged + held + dropped + skipped + interrupted, sums of video sample
   * durations; null before the camera has recorded.
   */
  footage: v.nullable(
    v.strictObject({
      capturedSeconds: seconds,
      acknowledgedSeconds: seconds,
      heldSeconds: seconds,
      droppedSeconds: seconds,
      skippedSeconds: seconds,
      interruptedSeconds: seconds,
      heldBytes: count,
      spooledBytes: count,
    }),
  ),
  /** Time that no footage covers, whatever the cause: ever, and in the last five minutes. Absent before it has recorded. */
  gapSeconds: v.optional(seconds),
  recentGapSeconds: v.optional(seconds),
  /** Times that the agent began to record again, ever; that capture's ffmpeg was started again, since capture began. */
  restarts: v.strictObject({ agent: count, capture: count }),
  capture: v.picklist(['unknown', 'waiting', 'running', 'backoff', 'finished', 'failed', 'stopped']),
  upload: v.strictObject({ connected: v.boolean(), retries: count, reconnects: count }),
  machine: v.strictObject({
    /** Of the warmest sensor, °C; null where there is none. */
    temperature: v.nullable(v.pipe(v.number(), v.minValue(-150), v.maxValue(150))),
    /** Where the spool lies. */
    diskFreeBytes: v.nullable(count),
    memoryFreeBytes: v.nullable(count),
    /** Resident memory of the agent's process. */
    agentMemoryBytes: count,
  }),
  /** Why the last check for updates came to nothing, by its code; absent when it did not. */
  updateTrouble: v.optional(text),
  /** Why a policy that was brought to the camera is not obeyed, by its code; absent when there is none. */
  policyTrouble: v.optional(text),
  /** Viewer ids of those who are sealed nothing: their newest day key lies below their floor. Absent when there are none. */
  viewersBelowFloor: v.optional(v.pipe(v.array(IdText), v.minLength(1), v.maxLength(32))),
  /** Messages of control given up for want of room while the server was away. */
  messagesDropped: count,
});
export type Telemetry = v.InferOutput<typeof Telemetry>;
