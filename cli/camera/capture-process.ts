import { CAPTURE_CONFIG_LIMIT, parseCaptureConfig } from '../../agent/capture/capture-config.ts';
import { CaptureError } from '../../agent/capture/errors.ts';
import { runCapture } from '../../agent/capture/main.ts';
import { systemClock } from '../../host/clock.ts';
import { keepMemorySmall } from '../../host/processes.ts';
import { orielArguments } from '../../launcher/oriel-command.ts';
import { CAPTURE_REFUSED } from '../../launcher/restart-rules.ts';
import { EXIT } from '../exit-codes.ts';
import { firstLineFromParent, openLog, roleDirectory, stopRole } from './role-process.ts';

/** The capture process: ffmpeg and the source; no keys, no network but a listed LAN source. */
export async function capture(dir: string, logLevel: string, tethered: boolean): Promise<number> {
  const signal = stopRole(tethered);
  const logger = openLog(logLevel, 'capture');
  keepMemorySmall();
  try {
    const plan = tethered
      ? parseCaptureConfig(await firstLineFromParent(CAPTURE_CONFIG_LIMIT))
      : await planByHand(dir);
    await runCapture(
      { runDir: roleDirectory(dir).captureRun, snapshotWorker: snapshotWorker(logLevel), ...plan },
      { clock: systemClock, random: Math.random, logger, signal },
    );
    return 0;
  } catch (error) {
    // runCapture has logged its own, scrubbed of the source's password; a plan's refusal has nothing of the plan.
    if ((error as { code?: unknown }).code === 'PLAN_INVALID') logger.fatal({ err: error }, 'capture failed');
    return error instanceof CaptureError ? CAPTURE_REFUSED : EXIT.failure;
  }
}

/** What it takes is loaded by who starts capture alone. */
async function planByHand(dir: string) {
  const { planCamera } = await import('../../agent/pairing/plan-camera.ts');
  const { warn } = await import('../terminal.ts');
  return (await planCamera(dir, warn)).capture;
}

/** This very program, as `oriel camera snapshot`. */
function snapshotWorker(logLevel: string): string[] {
  const [, script = ''] = process.argv;
  const command = { script, execArgv: process.execArgv, logLevel };
  return [process.execPath, ...orielArguments(command, ['camera', 'snapshot'])];
}
