import pino, { type Logger } from 'pino';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { refuseListening } from '../../host/no-listen.ts';
import { CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED, HAND_OVER } from '../../ota/launcher-protocol.ts';
import { EXIT } from '../exit-codes.ts';
import { openLogger } from '../log.ts';
import { askToEnd, ENDING_SIGNALS, ignoreTerminal, outliveReaders, stopSignal } from '../signals.ts';

/** Nothing in this process can listen from now on; what tries ends it, and is logged. */
export function closeDoors(role: string): void {
  const logger = openLog('fatal', role);
  refuseListening((error) => {
    logger.fatal(
      { code: error.code, reason: error.message, stack: error.stack },
      'a part of it wanted to listen',
    );
    process.exit(EXIT.failure);
  });
}

/** JSON lines on stderr: stdout is for what a command answers. */
export function openLog(level: string, process: string): Logger {
  return openLogger({ level, base: { process }, timestamp: pino.stdTimeFunctions.isoTime }, 2);
}

/** The directory of a camera's agent or capture, with the run directory that its launcher has made. */
export const roleDirectory = (dir: string) =>
  new CameraDirectory(dir, process.env.ORIEL_RUN_DIRECTORY).withRun();

/**
 * Aborts when this role is to end. Under a launcher Ctrl-C and the end of the terminal are the launcher's to act on,
 * which ends capture before the agent.
 */
export function stopRole(tethered: boolean): AbortSignal {
  outliveReaders();
  if (!tethered) return stopSignal(ENDING_SIGNALS);
  ignoreTerminal();
  return stopSignal(['SIGTERM']);
}

export interface ParentDeathWatch {
  /** Whether the launcher has said that another goes on from here at once. */
  handsOver(): boolean;
  /** Whether the kernel calls the machine's clock synchronised, as the launcher said last; undefined while it has not. */
  clockIsSynchronised(): boolean | undefined;
}

/** Longer than any line that a launcher writes; what is longer is none. */
const MAX_LINE_LENGTH = 64;

/**
 * The role's line to the launcher, its stdin. Its end, or the launcher's death, asks this process to end as SIGTERM
 * does: a role with a user of its own cannot be sent one.
 */
export function watchParentDeath(): ParentDeathWatch {
  let handsOver = false;
  let clockIsSynchronised: boolean | undefined;
  let rest = '';
  process.stdin.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop()?.slice(0, MAX_LINE_LENGTH) ?? '';
    for (const line of lines.map((each) => `${each}\n`)) {
      if (line === HAND_OVER) handsOver = true;
      if (line === CLOCK_SYNCHRONISED) clockIsSynchronised = true;
      if (line === CLOCK_UNSYNCHRONISED) clockIsSynchronised = false;
    }
  });
  // An error is always followed by this.
  process.stdin.on('error', () => undefined).once('close', () => askToEnd('the launcher'));
  // A role that is done does not wait for its launcher.
  (process.stdin as { unref?: () => void }).unref?.();
  process.stdin.resume();
  return { handsOver: () => handsOver, clockIsSynchronised: () => clockIsSynchronised };
}

/** The first line of stdin, then as {@link watchParentDeath}. @returns at most `maxBytes` and one byte more. */
export function firstLineFromParent(maxBytes: number): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer) => {
      const end = chunk.indexOf(0x0a);
      chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
      length += chunk.length;
      if (end >= 0 || length > maxBytes) {
        process.stdin.off('data', onData);
        watchParentDeath();
        resolve(Buffer.concat(chunks).toString('utf8', 0, maxBytes + 1));
      }
    };
    process.stdin.on('data', onData);
  });
}
