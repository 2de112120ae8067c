import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import type { CaptureConfig } from '../agent/capture/capture-config.ts';
import { errorFields } from '../agent/log.ts';
import type { CameraDirectory } from '../agent/state/camera-directory.ts';
import { spawnChild } from '../host/child.ts';
import { systemClock } from '../host/clock.ts';
import { kernelClockIsSynchronised } from '../host/kernel-clock.ts';
import { killAs } from '../host/kill-as.ts';
import { relayLines } from '../host/relay-lines.ts';
import { sandboxed } from '../host/sandbox.ts';
import { HAND_OVER, runEnvironment } from '../ota/launcher-protocol.ts';
import {
  canCutNetwork,
  makeFifos,
  makeRunDirectory,
  makeSharedFifos,
  makeSharedRunDirectory,
  type PrivilegeSeparation,
  sandboxOf,
} from './privilege-separation.ts';
import { afterCapture, endingMs, restartDelay } from './restart-rules.ts';
import { tellClock } from './tell-clock.ts';

/**
 * Starts the camera's two processes, agent and capture, joined by FIFOs, and keeps them running: each with a user of
 * its own, or by hand as the user who starts them.
 */
export interface LauncherOptions {
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

/** How this very program is started: its script, the Node flags before it, and what it logs. */
export interface OrielCommand {
  /** The Node that runs it; this process's own if not given. */
  readonly runtime?: string;
  readonly script: string;
  readonly execArgv: readonly string[];
  /** What its processes get of this one's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly logLevel: string;
}

/** A role's process. */
export type RoleProcess = Pick<ChildProcess, 'pid' | 'stdio' | 'exitCode' | 'signalCode'>;

/** What a launcher with slots does around each life of the agent. */
export interface AgentStarts {
  /** More for the agent's command line. */
  readonly args: readonly string[];
  /** Whether another agent goes on from here at once. */
  readonly handsOver: boolean;
  /** Whether it may be started now. */
  mayStart(): Promise<boolean>;
  /** @param child with a pipe at ota/launcher-protocol.ts's descriptor. */
  started(child: RoleProcess): void;
  /** It ended unasked. @returns whether to start it again. */
  ended(code: number): Promise<boolean>;
}

/**
 * The allocator's limits for the agent: by default glibc gives freed record buffers back to the system and fetches
 * fresh pages for the next, which costs more than sealing them.
 */
export const AGENT_MALLOC =
  'glibc.malloc.trim_threshold=33554432:glibc.malloc.mmap_threshold=33554432:glibc.malloc.arena_max=2';

/** Tells a process that a launcher has started it and holds the other end of its stdin. The value itself is not used. */
export const LAUNCHER = 'launcher';

/** Without it Node answers SIGUSR1, which any process of the same user may send, by opening its inspector's port. */
const NO_INSPECTOR = '--disable-sigusr1';

interface Role {
  readonly name: 'agent' | 'capture';
  readonly env: Readonly<Record<string, string>>;
  /** The command it is run under. */
  readonly under: readonly string[];
  /** The command that may kill it. */
  readonly killer: readonly string[];
}

/** How long one that is killed may take, which its own user may have kept from it. */
const KILLED_MS = 15_000;

/**
 * Node's flags for launcher, agent and capture. A few records a second never repay optimising the JavaScript around them, since
 * all bulk work is native, and the optimising compiler takes 10 MB of memory. Nor do they repay waking other threads for each
 * collection of garbage. A small young generation is collected often: what it holds is mostly buffers of records, which lie
 * outside of it and cost ten times its own size. Node's store of public CAs, which nobody asks (host/dialer.ts), is not
 * parsed for the first TLS connection. A release's own Node gets these from a launcher that no release replaces, so they are
 * such as stay; others a process gives itself (host/small-memory.ts).
 */
export const CAMERA_FLAGS = [
  ...['--no-opt', '--single-threaded', '--max-semi-space-size=1'],
  ...['--expose-gc', '--use-openssl-ca'],
];

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

/**
 * Starts a role. Its stdin is the tether: the end of it asks the role to end, and comes of itself when the launcher
 * dies. (Without CAP_KILL the launcher may signal no process of another user.)
 */
function startRole(
  { directory, command, lives, relay }: LauncherOptions,
  { name, env, under }: Role,
): ChildProcess {
  const args = ['camera', name, directory.path, '--log-level', command.logLevel, '--tethered', LAUNCHER];
  const watched = name === 'agent' ? lives : undefined;
  const child = spawnChild(
    command.runtime ?? process.execPath,
    [...CAMERA_FLAGS, ...orielArguments(command, [...args, ...(watched?.args ?? [])])],
    ['pipe', 'ignore', 'pipe', ...(watched === undefined ? [] : (['pipe'] as const))],
    { ...command.environment, ...env, ...runEnvironment(directory.run) },
    under,
  );
  // EPIPE: it is gone, which its exit tells.
  child.stdin?.on('error', () => undefined);
  if (child.stderr) said.set(child, relayLines(child.stderr, relay));
  return child;
}

/** What to give Node so that it runs `oriel ARGS`. */
export function orielArguments({ script, execArgv }: OrielCommand, args: readonly string[]): string[] {
  return [NO_INSPECTOR, ...execArgv.filter((flag) => flag !== NO_INSPECTOR), script, ...args];
}

/**
 * @param last said to it before, if another release goes on from here. What then does not end is killed; where even that is
 *   prevented this launcher ends, and systemd kills the rest with the unit's control group and starts it anew.
 */
function askToEnd(
  child: ChildProcess,
  { name, killer }: Role,
  { lives, logger, sinceSignalMs }: Supervision,
  last?: string,
): void {
  const handsOver = lives?.handsOver ?? false;
  child.stdin?.end(handsOver ? last : undefined);
  const { pid } = child;
  if (pid === undefined) return;
  const withinMs = endingMs(name, sinceSignalMs(), handsOver);
  const kill = setTimeout(() => {
    logger.error({ role: name, afterMs: withinMs }, 'it did not end when it was asked to, and was killed');
    void killAs(killer, pid);
  }, withinMs);
  const giveUp = setTimeout(() => {
    logger.fatal(
      { role: name, pid },
      'this process cannot be ended: the launcher ends, for systemd to kill it',
    );
    process.exit(1);
  }, withinMs + KILLED_MS);
  child.once('exit', () => {
    clearTimeout(kill);
    clearTimeout(giveUp);
  });
}

/** Stands for the exit code of a process that a signal ended. */
const KILLED = 128;

/** How long after its end the last lines of a role are waited for: what it has started may hold its stderr. */
const LAST_LINES_MS = 1_000;
/** The relays of the roles' stderr; each settles with its last line. */
const said = new WeakMap<ChildProcess, Promise<void>>();

async function exitOf(child: ChildProcess): Promise<number> {
  const code = await new Promise<number>((resolvePromise, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolvePromise(exitCode ?? (signal === null ? 1 : KILLED)));
  });
  const heard = new AbortController();
  const patience = systemClock.sleep(LAST_LINES_MS, heard.signal).catch(() => undefined);
  await Promise.race([said.get(child), patience]);
  heard.abort();
  return code;
}
