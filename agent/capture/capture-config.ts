import * as v from 'valibot';
import { CaptureError } from './errors.ts';

/** Longest plan as a line of JSON, in bytes. */
export const CAPTURE_CONFIG_LIMIT = 16 * 1024;

/**
 * What capture has to know of the camera's configuration, and nothing else of it. It comes over stdin: the source may
 * hold a password, and capture's user can read no file of the camera's.
 */
export const CaptureConfig = v.strictObject({
  source: v.pipe(v.string(), v.maxLength(2000)),
  audio: v.boolean(),
  lan: v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.maxLength(32)),
});
export type CaptureConfig = v.InferOutput<typeof CaptureConfig>;

/** @throws CaptureError PLAN_INVALID, without a word of what was in it. */
export function parseCaptureConfig(line: string): CaptureConfig {
  try {
    if (line.length > CAPTURE_CONFIG_LIMIT) throw new RangeError(`longer than ${CAPTURE_CONFIG_LIMIT}`);
    return v.parse(CaptureConfig, JSON.parse(line));
  } catch {
    throw new CaptureError('PLAN_INVALID', 'the plan for capture is malformed');
  }
}
