import { mkdirSync } from 'node:fs';
import type { Clock } from '../../host/clock.ts';
import type { AgentLog } from '../log.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { CameraError } from '../state/errors.ts';
import { makeElsewhere } from '../state/run-elsewhere.ts';
import { unpairedStatus } from '../status/status.ts';
import { StatusFile } from '../status/status-file.ts';

const LOOK_INTERVAL_MS = 1000;
/** Within this a setup that has written its last file gives the directory up, ms. */
const SETUP_ENDS_MS = 10_000;

export interface WaitEffects {
  readonly clock: Clock;
  readonly logger: AgentLog;
  /** Aborted to give up. */
  readonly signal: AbortSignal;
}

/**
 * Waits in a directory that holds no camera until `oriel camera setup` has made one, and shows that in the status.
 * @returns false when it was told to give up before.
 */
export async function awaitSetup(
  directory: CameraDirectory,
  { clock, logger, signal }: WaitEffects,
): Promise<boolean> {
  if (directory.exists()) return true;
  logger.info({ directory: directory.path }, 'no camera here yet, waiting for: oriel camera setup');
  const shown = directory.withRun();
  if (shown.run === shown.runElsewhere) makeElsewhere(shown.run);
  else mkdirSync(shown.run, { recursive: true, mode: 0o700 });
  const status = new StatusFile(shown);
  const since = clock.now();
  while (!directory.exists()) {
    if (signal.aborted) return false;
    status.write(unpairedStatus(clock.now(), since));
    await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
  }
  return true;
}

/** Claims the directory of a camera that may be being set up this very moment. @throws as `claim`. */
export async function claimAfterSetup<T>(
  claim: () => Promise<T>,
  { clock, signal }: Pick<WaitEffects, 'clock' | 'signal'>,
): Promise<T> {
  for (const from = clock.monotonic(); ; ) {
    try {
      return await claim();
    } catch (error) {
      const settingUp = error instanceof CameraError && error.code === 'CAMERA_RUNNING';
      if (!settingUp || signal.aborted || clock.monotonic() - from > SETUP_ENDS_MS) throw error;
      await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
    }
  }
}
