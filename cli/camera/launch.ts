import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { loadDeviceKey } from '../../agent/camera/device-key.ts';
import { loadPolicy } from '../../agent/camera/policy-file.ts';
import { runCamera } from '../../agent/launcher.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { openLog, stopSignal } from './log.ts';

/** `oriel camera run`: the launcher, as a person starts it by hand. */
export async function launch(dir: string, logLevel: string): Promise<number> {
  const directory = new CameraDirectory(dir);
  const config = directory.readConfig();
  const { camera } = await loadDeviceKey(directory);
  const { policy } = await loadPolicy(directory, { camera, owner: config.owner }, nodePrimitives);
  const logger = openLog(logLevel, 'launcher');
  logger.info({ uid: process.getuid?.() }, 'started by hand: agent and capture run as the same user');
  const [, script = ''] = process.argv;
  const { execArgv } = process;
  const signal = stopSignal('SIGINT', 'SIGTERM');
  const audio = config.audio && policy.audio;
  if (config.audio && !audio) logger.warn('sound is asked for, but the policy does not allow it');
  return runCamera({ directory, audio, script, execArgv, logLevel, logger, signal });
}
