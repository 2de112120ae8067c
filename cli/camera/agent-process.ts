import { runAgent } from '../../agent/agent.ts';
import type { SlotPlace } from '../../agent/updates/open-updates.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { endNow, keepMemorySmall } from '../../host/processes.ts';
import { releaseTimeMs, version } from '../../ota/version.ts';
import { EXIT } from '../exit-codes.ts';
import { openLog, type ParentDeathWatch, roleDirectory, stopRole } from './role-process.ts';

/** How it was started. */
export interface Started {
  readonly place: SlotPlace | undefined;
  /** Undefined when no launcher started it. */
  readonly parent: ParentDeathWatch | undefined;
}

/** The agent's process: keys and network, no child processes. */
export async function agent(dir: string, logLevel: string, { place, parent }: Started): Promise<number> {
  const signal = stopRole(parent !== undefined);
  const logger = openLog(logLevel, 'agent');
  keepMemorySmall();
  try {
    await runAgent(roleDirectory(dir), {
      clock: systemClock,
      disk: systemDisk,
      random: Math.random,
      releaseTimeMs: releaseTimeMs(),
      version: version(),
      logger,
      hasLauncher: parent !== undefined,
      place,
      handsOver: () => parent?.handsOver() ?? false,
      clockIsSynchronised: () => parent?.clockIsSynchronised(),
      signal,
    });
    return 0;
  } catch (error) {
    logger.fatal({ err: error }, 'agent failed');
    // Whatever still goes on in it must not keep a failed agent alive: the launcher starts another.
    await endNow(EXIT.failure);
    return EXIT.failure;
  }
}
