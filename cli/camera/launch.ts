import { statSync } from 'node:fs';
import { claimCamera } from '../../agent/camera/camera-claim.ts';
import { type CameraConfig, CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { CameraState } from '../../agent/camera/camera-state.ts';
import { loadCertificate, loadDeviceKey } from '../../agent/camera/device-key.ts';
import { PolicyWatch } from '../../agent/camera/policy-watch.ts';
import { runCamera } from '../../agent/launcher.ts';
import { readStatus } from '../../agent/status.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { systemDisk } from '../../host/disk.ts';
import { showCounters } from './counters.ts';
import { openLog, stopSignal } from './log.ts';

/** `oriel camera run`: the launcher, as a person starts it by hand. */
export async function launch(dir: string, logLevel: string): Promise<number> {
  const directory = new CameraDirectory(dir);
  const config = directory.readConfig();
  const release = await claimCamera(directory, systemDisk);
  try {
    return await launchClaimed(directory, config, logLevel);
  } finally {
    await release();
  }
}

/** What the agent would refuse is refused here, before anything is started. */
async function launchClaimed(
  directory: CameraDirectory,
  config: CameraConfig,
  logLevel: string,
): Promise<number> {
  const device = await loadDeviceKey(directory);
  const { camera } = device;
  warnOfReaders(directory.deviceKey);
  loadCertificate(directory, device);
  const state = new CameraState(directory, systemDisk);
  const watch = new PolicyWatch(directory, state, { camera, owner: config.owner }, nodePrimitives);
  await watch.check();
  const { policy } = watch.inForce;
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

function warnOfReaders(path: string): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  console.error(`oriel: warning: ${path} can be read by others; mend it with: chmod 600 ${path}`);
}

/** Tells a person at a terminal what is happening, and shows the counters. */
function greet(camera: string, origin: string, directory: CameraDirectory): () => void {
  console.log(`Camera ${camera} films for ${origin}; Ctrl-C ends it.`);
  console.log('Started by hand: agent and capture run as the same user.');
  return showCounters(() => readStatus(directory.status));
}
