import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { loadDeviceKey } from '../../agent/camera/device-key.ts';
import { loadPolicy } from '../../agent/camera/policy-file.ts';
import { runCamera } from '../../agent/launcher.ts';
import { readStatus } from '../../agent/status.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { showCounters } from './counters.ts';
import { openLog, stopSignal } from './log.ts';

/** `oriel camera run`: the launcher, as a person starts it by hand. */
export async function launch(dir: string, logLevel: string): Promise<number> {
  const directory = new CameraDirectory(dir);
  const config = directory.readConfig();
  const { camera } = await loadDeviceKey(directory);
  const { policy } = await loadPolicy(directory, { camera, owner: config.owner }, nodePrimitives);
  const person = process.stdout.isTTY && process.stderr.isTTY && logLevel === 'info';
  const level = person ? 'warn' : logLevel;
  const logger = openLog(level, 'launcher');
  logger.info({ uid: process.getuid?.() }, 'started by hand: agent and capture run as the same user');
  const [, script = ''] = process.argv;
  const { execArgv } = process;
  const signal = stopSignal('SIGINT', 'SIGTERM');
  const audio = config.audio && policy.audio;
  if (config.audio && !audio) logger.warn('sound is asked for, but the policy does not allow it');
  const stopShowing = person ? greet(camera, config.server.origin, directory) : () => undefined;
  const code = await runCamera({ directory, audio, script, execArgv, logLevel: level, logger, signal });
  stopShowing();
  const held = readStatus(directory.status)?.heldSeconds ?? 0;
  if (person && held > 0) console.log(`${held.toFixed(1)} s wait in the spool; the next run uploads them.`);
  return code;
}

/** Tells a person at a terminal what is happening, and shows the counters. */
function greet(camera: string, origin: string, directory: CameraDirectory): () => void {
  console.log(`Camera ${camera} films for ${origin}; Ctrl-C ends it.`);
  console.log('Started by hand: agent and capture run as the same user.');
  return showCounters(() => readStatus(directory.status));
}
