import { join } from 'node:path';
import * as v from 'valibot';
import type { Disk } from '../host/disk.ts';
import { parseJson } from './json.ts';

/**
 * How long a launcher waits, and what it lets an agent take, before it judges. Flashed with a camera whose board needs
 * other limits than the usual ones; where nothing is said, those count.
 */
export const LIMITS_FILE = 'limits.json';
const MAX_LIMITS_BYTES = 4 * 1024;
const MIB = 1024 * 1024;
const HOUR = 3600;

const between = (least: number, greatest: number, usual: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(greatest)), usual);

const LauncherLimits = v.strictObject({
  format: v.literal('oriel-limits-1'),
  /** An agent that has not said for so long that it lives, is killed. */
  heartbeatSeconds: between(10, 600, 60),
  /** From its start, until an agent that is to film has to have filmed, sealed and opened. */
  verdictSeconds: between(10, HOUR, 120),
  /** How long an agent has to run at least before its release is confirmed: some fail only after a while. */
  proveSeconds: between(1, HOUR, 30),
  /** What an agent may keep resident. By default three times what it takes, and a board of 512 MB has it to give. */
  memoryBytes: between(64 * MIB, 64 * 1024 * MIB, 300 * MIB),
  /** How long a first trial may be unknown before the release before gets a turn; twice as long before each further. */
  unknownSeconds: between(10, 24 * HOUR, 30 * 60),
  /** How long a turn lasts at most. */
  turnSeconds: between(10, HOUR, 10 * 60),
});
export type LauncherLimits = v.InferOutput<typeof LauncherLimits>;

export const USUAL_LIMITS: LauncherLimits = v.parse(LauncherLimits, { format: 'oriel-limits-1' });

/** @throws OtaError BUNDLE_OVERSIZED, LIMITS_MALFORMED. */
export function parseLimits(bytes: Uint8Array): LauncherLimits {
  return parseJson(bytes, {
    what: LIMITS_FILE,
    maxBytes: MAX_LIMITS_BYTES,
    schema: LauncherLimits,
    malformed: 'LIMITS_MALFORMED',
  });
}

/**
 * The limits of an installation. Nothing about them keeps a camera from running.
 * @param onFault told why those on file do not count, if they do not.
 */
export async function readLimits(
  disk: Disk,
  installation: string,
  onFault: (error: unknown) => void,
): Promise<LauncherLimits> {
  try {
    const file = await disk.open(join(installation, LIMITS_FILE), 'read');
    if (file === undefined) return USUAL_LIMITS;
    const bytes = await file.read(MAX_LIMITS_BYTES + 1, 0).finally(() => file.close());
    return parseLimits(bytes);
  } catch (error) {
    onFault(error);
    return USUAL_LIMITS;
  }
}
