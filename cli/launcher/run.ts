import { errorFields } from '../../agent/log.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { keepMemorySmall } from '../../host/processes.ts';
import { askForPlan } from '../../launcher/ask-for-plan.ts';
import { claimForLauncher } from '../../launcher/claim.ts';
import { checkPrivilegeSeparation } from '../../launcher/privilege-separation.ts';
import { runSlots } from '../../launcher/slots/run-slots.ts';
import { readInstallation } from '../../ota/installation.ts';
import { readLimits } from '../../ota/launcher-limits.ts';
import { Slots } from '../../ota/slots.ts';
import type { RoleUsers } from '../camera/privilege-separation.ts';
import { separationOf } from '../camera/privilege-separation.ts';
import { closeDoors, openLog } from '../camera/role-process.ts';
import { logDestination } from '../log-destination.ts';
import { outliveReaders, stopSignal } from '../signals.ts';

export interface LauncherRunOptions extends RoleUsers {
  readonly logLevel: string;
}

/** `oriel launcher run`: it reads no file of the camera's, and runs no code but that of a verified slot. */
export async function runLauncher(
  installation: string,
  camera: string,
  options: LauncherRunOptions,
): Promise<number> {
  closeDoors('launcher');
  keepMemorySmall();
  const { logLevel } = options;
  const logger = openLog(logLevel, 'launcher');
  outliveReaders();
  const signal = stopSignal();
  const relay = logDestination(2).write;
  const directory = new CameraDirectory(camera);
  const separation = separationOf(options);
  if (separation !== undefined) checkPrivilegeSeparation(directory, separation);
  const user = separation?.agent;
  const { trust } = await readInstallation(systemDisk, installation);
  const limits = await readLimits(systemDisk, installation, (error) =>
    logger.error(errorFields(error), 'the limits on file do not count: the usual ones do'),
  );
  const slots = await Slots.open({ disk: systemDisk, directory: installation, trust });
  const over = new AbortController();
  const claimed = { directory, user, clock: systemClock, logger, signal: over.signal };
  return runSlots({
    slots,
    installation,
    limits,
    directory,
    separation,
    plan: (command, alone, until) =>
      askForPlan({ directory, command, user, alone, logger, relay, signal: until }),
    claim: () => claimForLauncher(claimed),
    logLevel,
    clock: systemClock,
    logger,
    relay,
    signal,
  }).finally(() => over.abort());
}
