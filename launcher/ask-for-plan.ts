import type { Logger } from 'pino';
import {
  CAPTURE_CONFIG_LIMIT,
  type CaptureConfig,
  parseCaptureConfig,
} from '../agent/capture/capture-config.ts';
import type { CameraDirectory } from '../agent/state/camera-directory.ts';
import { killAs, spawnChild } from '../host/child.ts';
import type { OsUser } from '../host/os-user.ts';
import { relayLines } from '../host/relay-lines.ts';
import { sandboxed } from '../host/sandbox.ts';
import { LAUNCHER, type OrielCommand, orielArguments } from './oriel-command.ts';
import { sandboxOf } from './privilege-separation.ts';

/** How long one that is told to end may take, and then one that is killed: its user may stop both. */
const ENDING_MS = 5_000;
const KILLED_MS = 15_000;

export interface PlanQuestion {
  readonly directory: CameraDirectory;
  readonly command: OrielCommand;
  /** The agent's; undefined by hand. */
  readonly user: OsUser | undefined;
  /** Whether a camera that runs already is to be refused; once is enough. */
  readonly alone: boolean;
  readonly logger: Logger;
  /** Takes what it says on stderr, line by line. */
  readonly relay: (line: string) => void;
  /** Aborted to ask no more. */
  readonly signal: AbortSignal;
}

/**
 * Has the agent's user, whose alone they are, wait until the camera is set up and read its files. That process ends with
 * its stdin, or is killed when it does not.
 * @returns undefined when that was refused, for a reason that has been said, or ended by the signal.
 * @throws CaptureError PLAN_INVALID.
 */
export async function askForPlan(question: PlanQuestion): Promise<CaptureConfig | undefined> {
  const { directory, command, user, alone, logger, relay, signal } = question;
  const options = [
    ...(alone ? ['--claim-for', LAUNCHER] : []),
    ...['--tethered', LAUNCHER, '--log-level', command.logLevel],
  ];
  const under = user === undefined ? [] : sandboxed(sandboxOf(user, 'shared'));
  const child = spawnChild(
    command.runtime ?? process.execPath,
    orielArguments(command, ['camera', 'plan', directory.path, ...options]),
    ['pipe', 'pipe', 'pipe'],
    {},
    under,
  );
  if (child.stderr) void relayLines(child.stderr, relay);
  const timers: NodeJS.Timeout[] = [];
  const leftAlone = Promise.withResolvers<null>();
  const stop = () => {
    child.stdin?.end();
    if (child.pid !== undefined) timers.push(setTimeout(killAs, ENDING_MS, under, child.pid));
    timers.push(setTimeout(leftAlone.resolve, ENDING_MS + KILLED_MS, null));
  };
  // EPIPE: it is gone, which its exit tells.
  child.stdin?.on('error', () => undefined);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let answer = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    if (answer.length <= CAPTURE_CONFIG_LIMIT) answer += chunk.toString('utf8');
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, killedBy) => {
      if (killedBy !== null && !signal.aborted)
        logger.error({ signal: killedBy }, "what reads the camera's files for this launcher was killed");
      resolve(code);
    });
  });
  const code = await Promise.race([ended, leftAlone.promise]);
  signal.removeEventListener('abort', stop);
  for (const timer of timers) clearTimeout(timer);
  child.stdout?.destroy();
  child.unref();
  return code === 0 && !signal.aborted ? parseCaptureConfig(answer) : undefined;
}
