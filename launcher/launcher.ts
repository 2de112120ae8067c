import type { Logger } from 'pino';
import type { CaptureConfig } from '../agent/capture/capture-config.ts';
import { errorFields } from '../agent/log.ts';
import type { CameraDirectory } from '../agent/state/camera-directory.ts';
import { type Clock, systemClock } from '../host/clock.ts';
import { kernelClockIsSynchronised } from '../host/kernel-clock.ts';
import { sandboxed } from '../host/sandbox.ts';
import { CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED, HAND_OVER } from '../ota/launcher-protocol.ts';
import { AGENT_MALLOC, type OrielCommand } from './oriel-command.ts';
import {
  canCutNetwork,
  makeFifos,
  makeRunDirectory,
  makeSharedFifos,
  makeSharedRunDirectory,
  type PrivilegeSeparation,
  sandboxOf,
} from './privilege-separation.ts';
import { afterCapture, restartDelay } from './restart-rules.ts';
import { type AgentStarts, askToEnd, exitOf, type Role, startRole } from './role-process.ts';

/** A time service takes minutes to synchronise a clock, and to give it up. */
const ASK_EVERY_MS = 60_000;

interface ClockTelling {
  /** Whether the kernel calls the machine's clock synchronised; undefined where that cannot be asked. */
  readonly ask: (signal: AbortSignal) => Promise<boolean | undefined>;
  /** Writes a line to the agent. */
  readonly write: (line: string) => void;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

/** Tells the agent, which starts no process of its own, what the kernel says of the machine's clock. Never rejects. */
export async function tellClock({ ask, write, clock, signal }: ClockTelling): Promise<void> {
  for (let told: boolean | undefined; !signal.aborted; ) {
    const synchronised = await ask(signal);
    if (synchronised !== told && synchronised !== undefined && !signal.aborted) {
      write(synchronised ? CLOCK_SYNCHRONISED : CLOCK_UNSYNCHRONISED);
      told = synchronised;
    }
    await clock.sleep(ASK_EVERY_MS, signal).catch(() => undefined);
  }
}

/**
 * Starts the camera's two processes, agent and capture, joined by FIFOs, and keeps them running: each with a user of
 * its own, or by hand as the user who starts them.
 */
interface LauncherOptions {
  readonly directory: CameraDirectory;
  readonly plan: CaptureConfig;
  /** Undefined: by hand, without separation. */
  readonly separation: PrivilegeSeparation | undefined;
  /** Whether the source is a camera on the network; any other capture is cut off from it. */
  readonly captureDials: boolean;
  readonly command: OrielCommand;
  /** With slots: what is done around each life of the agent. */
  readonly lives?: AgentStarts;
  readonly logger: Logger;
  /** Takes what agent and capture say on stderr, line by line. */
  readonly relay: (line: string) => void;
  /** Aborted to end. */
  readonly signal: AbortSignal;
}

/**
 * Runs the camera until the signal, or until its source has been played to its end.
 * @returns 0 when both processes ended in good order, else 1.
 */
export async function runCamera(wish: LauncherOptions): Promise<number> {
  const { logger } = wish;
  const given = { ...wish, directory: wish.directory.withRun() };
  const roles = await prepare(given);
  const stopping = new AbortController();
  const agentGivenUp = new AbortController();
  const signal = AbortSignal.any([given.signal, agentGivenUp.signal]);
  const sinceSignalMs = stopwatch(given.signal);
  const options = { ...given, signal, sinceSignalMs };
  const agent = keepAgent(options, roles.agent, stopping.signal).finally(() => agentGivenUp.abort());
  const captureCode = await keepCapture(options, roles.capture);
  if (!signal.aborted) {
    logger.info({ code: captureCode }, captureCode === 0 ? 'source played to its end' : 'capture failed');
  }
  // Capture is gone, so the agent has seen the end of the stream: it seals what is left, uploads and ends.
  stopping.abort();
  const agentCode = await agent;
  return captureCode === 0 && agentCode === 0 ? 0 : 1;
}

/** What both roles are kept running with. */
interface Supervision extends LauncherOptions {
  /** Since the launcher was asked to end; undefined before. */
  readonly sinceSignalMs: () => number | undefined;
}

function stopwatch(signal: AbortSignal): () => number | undefined {
  let from = signal.aborted ? systemClock.monotonic() : undefined;
  const start = () => {
    from = systemClock.monotonic();
  };
  signal.addEventListener('abort', start, { once: true });
  return () => (from === undefined ? undefined : systemClock.monotonic() - from);
}

/** Makes the run directory, and says who runs as whom. */
async function prepare(options: LauncherOptions): Promise<{ agent: Role; capture: Role }> {
  const { directory, separation, captureDials, logger } = options;
  const env = { GLIBC_TUNABLES: AGENT_MALLOC };
  if (separation === undefined) {
    makeRunDirectory(directory);
    logger.info({ uid: process.getuid?.() }, 'started by hand: agent and capture run as the same user');
    if (captureDials) {
      logger.warn(
        {},
        'only a packet filter keeps ffmpeg from where the camera may send it (docs/design/hardening.md)',
      );
    }
    const same = { under: [], killer: [] };
    return { agent: { name: 'agent', env, ...same }, capture: { name: 'capture', env: {}, ...same } };
  }
  await makeSharedRunDirectory(directory, separation);
  const cut = !captureDials && (await canCutNetwork(separation.capture));
  if (!cut && !captureDials) {
    logger.warn({}, 'no user namespaces here: only the packet filter keeps capture from the network');
  }
  logger.info(
    { agent: separation.agent.uid, capture: separation.capture.uid, captureNetwork: cut ? 'none' : 'shared' },
    'agent and capture run as users of their own',
  );
  const agent = sandboxed(sandboxOf(separation.agent, 'shared'));
  const capture = sandboxed(sandboxOf(separation.capture, cut ? 'none' : 'shared'));
  return {
    agent: { name: 'agent', env, under: agent, killer: agent },
    capture: {
      name: 'capture',
      env: {},
      under: capture,
      killer: sandboxed(sandboxOf(separation.capture, 'shared')),
    },
  };
}

/** Starts capture again whenever it was killed or failed; what it refuses by itself it would refuse again. */
async function keepCapture(options: Supervision, role: Role): Promise<number> {
  const { plan, logger, signal } = options;
  for (let failures = 0; ; ) {
    const startedAt = systemClock.monotonic();
    const child = startRole(options, role);
    child.stdin?.write(`${JSON.stringify(plan)}\n`);
    const stop = () => askToEnd(child, role, options);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const code = await exitOf(child);
    signal.removeEventListener('abort', stop);
    if (afterCapture(code, signal.aborted) === 'end') return code;
    failures = systemClock.monotonic() - startedAt > 60_000 ? 1 : failures + 1;
    const delay = restartDelay(failures, Math.random());
    logger.error({ code, delayMs: Math.round(delay) }, 'capture ended; starting it again');
    await systemClock.sleep(delay, signal).catch(() => undefined);
    // It may have ended because one of them was gone.
    await renewFifos(options);
  }
}

async function renewFifos({ directory, separation, logger }: LauncherOptions): Promise<void> {
  try {
    if (separation === undefined) makeFifos(directory);
    else await makeSharedFifos(directory, separation);
  } catch (error) {
    logger.error(errorFields(error), 'the FIFOs between agent and capture are not whole');
  }
}

/** Starts the agent again whenever it dies, until asked to stop; then gives it the time it needs to drain. */
async function keepAgent(options: Supervision, role: Role, stopping: AbortSignal): Promise<number> {
  const { logger, lives, signal } = options;
  for (let failures = 0; ; ) {
    if (!((await lives?.mayStart()) ?? true)) return 1;
    const startedAt = systemClock.monotonic();
    const child = startRole(options, role);
    lives?.started(child);
    const over = new AbortController();
    const telling = tellClock({
      ask: kernelClockIsSynchronised,
      write: (line) => void child.stdin?.write(line),
      clock: systemClock,
      signal: AbortSignal.any([stopping, over.signal]),
    });
    const stop = () => askToEnd(child, role, options, HAND_OVER);
    const hasten = () => {
      if (stopping.aborted) stop();
    };
    stopping.addEventListener('abort', stop, { once: true });
    signal.addEventListener('abort', hasten, { once: true });
    if (stopping.aborted) stop();
    const code = await exitOf(child);
    stopping.removeEventListener('abort', stop);
    signal.removeEventListener('abort', hasten);
    over.abort();
    await telling;
    if (stopping.aborted || !((await lives?.ended(code)) ?? true)) return code;
    failures = systemClock.monotonic() - startedAt > 60_000 ? 1 : failures + 1;
    const delay = restartDelay(failures, Math.random());
    logger.error({ code, delayMs: Math.round(delay) }, 'agent ended; starting it again');
    await systemClock.sleep(delay, stopping).catch(() => code);
    if (stopping.aborted) return code;
  }
}
