import type { Logger } from 'pino';
import { errorFields } from '../agent/log.ts';
import type { CameraDirectory } from '../agent/state/camera-directory.ts';
import { cameraRunning } from '../agent/state/errors.ts';
import type { Clock } from '../host/clock.ts';
import { type DirectoryHold, holdDirectory } from '../host/directory-lock.ts';
import type { OsUser } from '../host/os-user.ts';
import { sandboxed } from '../host/sandbox.ts';
import { sandboxOf } from './privilege-separation.ts';

export interface LauncherClaim {
  readonly directory: CameraDirectory;
  /** The agent's; undefined by hand. */
  readonly user: OsUser | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted to give the claim up. */
  readonly signal: AbortSignal;
}

/** A command that changes the camera has it for a moment. */
const WAIT_MS = 2_000;
/** Before the claim is made again. */
const AGAIN_MS = 1_000;

/**
 * Claims a camera for a launcher that opens no file of the camera's, also while no agent lives: no command changes
 * it meanwhile, and no second launcher takes the FIFOs away.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimForLauncher(claim: LauncherClaim): Promise<void> {
  void keep(claim, await hold(claim));
}

/** What holds it can be killed: by the kernel for its memory, or by the agent's user. */
async function keep(claim: LauncherClaim, first: DirectoryHold): Promise<void> {
  const { clock, logger, signal } = claim;
  for (let held: DirectoryHold | undefined = first; ; ) {
    await held?.over;
    if (signal.aborted) return;
    if (held !== undefined)
      logger.error({}, 'what claims the camera for this launcher has ended; claiming it again');
    await clock.sleep(AGAIN_MS, signal).catch(() => undefined);
    held = await hold(claim).catch((error: unknown) => {
      if (!signal.aborted) logger.error(errorFields(error), 'the camera is not claimed for this launcher');
      return undefined;
    });
  }
}

async function hold({ directory, user, signal }: LauncherClaim): Promise<DirectoryHold> {
  const under = user === undefined ? [] : sandboxed(sandboxOf(user, 'shared'));
  const held = await holdDirectory(directory.path, { under, waitMs: WAIT_MS, signal });
  if (held !== undefined) return held;
  throw cameraRunning(directory.path);
}
