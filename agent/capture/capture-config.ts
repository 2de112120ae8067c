import * as v from 'valibot';
import { CaptureError } from './errors.ts';

/** Longest plan as a line of JSON, in bytes. */
export const PLAN_LIMIT = 16 * 1024;

/**
 * What capture has to know of the camera's configuration, and nothing else of it. It comes over stdin: the source may
 * hold a password, and capture's user can read no file of the camera's.
 */
export const CapturePlan = v.strictObject({
  source: v.pipe(v.string(), v.maxLength(2000)),
  audio: v.boolean(),
  lan: v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.maxLength(32)),
});
export type CapturePlan = v.InferOutput<typeof CapturePlan>;

/** @throws CaptureError PLAN_INVALID, without a word of what was in it. */
export function parsePlan(line: string): CapturePlan {
  try {
    if (line.length > PLAN_LIMIT) throw new RangeError(`longer than ${PLAN_LIMIT}`);
    return v.parse(CapturePlan, JSON.parse(line));
  } catch {
    throw new CaptureError('PLAN_INVALID', 'the plan for capture is malformed');
  }
}
