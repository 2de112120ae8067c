import { runAgent } from '../../agent/agent.ts';
import { claimCamera } from '../../agent/camera/camera-claim.ts';
import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { ownProcessName } from '../../host/process-name.ts';
import { releaseTimeMs } from '../version.ts';
import { ignoreInterrupt, openLog, stopSignal } from './log.ts';

/** The agent's process: keys and network, no child processes. */
export async function agent(dir: string, logLevel: string, tethered: boolean): Promise<number> {
  ignoreInterrupt();
  const logger = openLog(logLevel, 'agent');
  const directory = new CameraDirectory(dir);
  const claim = async () => claimCamera(directory, systemDisk, await ownProcessName(systemDisk));
  const claimedByLauncher = async () => async () => undefined;
  try {
    await runAgent(directory, {
      clock: systemClock,
      disk: systemDisk,
      random: Math.random,
      releaseTimeMs: releaseTimeMs(),
      logger,
      claim: tethered ? claimedByLauncher : claim,
      signal: stopSignal('SIGTERM'),
    });
    return 0;
  } catch (error) {
    logger.fatal({ err: error }, 'agent failed');
    return 1;
  }
}
