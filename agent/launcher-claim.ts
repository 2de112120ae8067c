import type { Logger } from 'pino';
import type { Account } from '../host/account.ts';
import type { Clock } from '../host/clock.ts';
import { confined } from '../host/confinement.ts';
import type { DirectoryHold } from '../host/directory-lock.ts';
import { holdCamera } from './camera/camera-claim.ts';
import type { CameraDirectory } from './camera/camera-directory.ts';
import { confinementOf } from './launcher-separation.ts';
import { errorFields } from './log.ts';

export interface LauncherClaim {
  readonly directory: CameraDirectory;
  /** The agent's; undefined by hand. */
  readonly account: Account | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted to end the launcher. */
  readonly signal: AbortSignal;
}

const AGAIN_MS = 3_000;

/**
 * Claims a camera for this launcher, which may open no file of the camera's, until it ends: also while no agent lives, so
 * that no command changes what is about to be filmed for, and no second launcher takes the FIFOs away.
 * @throws CameraError CAMERA_RUNNING; HostError.
 */
export async function claimForLauncher(claim: LauncherClaim): Promise<void> {
  const { directory, account } = claim;
  const under = account === undefined ? [] : confined(confinementOf(account, 'shared'));
  const hold = () => holdCamera(directory, under);
  void keep(claim, hold, await hold());
}

/** What holds it can be killed: by the kernel for its memory, or by the agent's user. */
async function keep(
  { clock, logger, signal }: LauncherClaim,
  hold: () => Promise<DirectoryHold>,
  first: DirectoryHold,
): Promise<void> {
  for (let held: DirectoryHold | undefined = first; ; ) {
    await held?.over;
    if (signal.aborted) return;
    if (held !== undefined)
      logger.error({}, 'what held the camera for this launcher was killed; claiming it again');
    held = await hold().catch((error: unknown) => {
      logger.error(errorFields(error), 'the camera is not claimed for this launcher');
      return undefined;
    });
    if (held === undefined) await clock.sleep(AGAIN_MS, signal).catch(() => undefined);
  }
}
