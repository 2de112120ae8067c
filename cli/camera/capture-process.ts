import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { runCapture } from '../../agent/capture/main.ts';
import { systemClock } from '../../host/clock.ts';
import { ignoreInterrupt, openLog, stopSignal } from './log.ts';

/** The capture process: ffmpeg and the source; no keys, no network but a listed LAN source. */
export async function capture(dir: string, logLevel: string, audio: boolean): Promise<number> {
  ignoreInterrupt();
  const directory = new CameraDirectory(dir);
  const { source, lan } = directory.readConfig();
  const logger = openLog(logLevel, 'capture');
  try {
    await runCapture(
      { runDir: directory.run, source, lan, audio },
      { clock: systemClock, random: Math.random, logger, signal: stopSignal('SIGTERM') },
    );
    return 0;
  } catch {
    // runCapture has logged it, scrubbed of the source's password.
    return 1;
  }
}
