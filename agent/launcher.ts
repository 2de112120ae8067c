import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import type { Logger } from 'pino';
import { spawnTethered } from '../host/child.ts';
import { systemClock } from '../host/clock.ts';
import { makeFifo } from '../host/fifo.ts';
import type { CameraDirectory } from './camera/camera-directory.ts';
import { restartDelay } from './launcher-policy.ts';

/**
 * Starts the camera's two processes, agent and capture, joined by FIFOs, and keeps them running. By hand they run
 * as the user who starts them; on a board each gets a user of its own.
 */
export interface LauncherOptions {
  readonly directory: CameraDirectory;
  /** Whether capture records sound: wanted, and allowed by the owner's policy. */
  readonly audio: boolean;
  /** The script to run and the Node flags before it, as this process itself was started. */
  readonly script: string;
  readonly execArgv: readonly string[];
  readonly logLevel: string;
  readonly logger: Logger;
  /** Aborted by SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
}

/**
 * The allocator's limits for the agent: by default glibc gives freed record buffers back to the system and fetches
 * fresh pages for the next, which costs more than sealing them.
 */
export const AGENT_MALLOC =
  'glibc.malloc.trim_threshold=33554432:glibc.malloc.mmap_threshold=33554432:glibc.malloc.arena_max=2';

/**
 * V8's flags for both: a few records a second never repay optimising the JavaScript around them, since all bulk work is
 * native, and the optimising compiler takes 10 MB of memory.
 */
const V8_FLAGS = ['--no-opt'];

/**
 * Runs the camera until the signal, or until its source has been played to its end.
 * @returns 0 when both processes ended in good order, else 1.
 */
export async function runCamera(options: LauncherOptions): Promise<number> {
  const { directory, logger, signal } = options;
  makeRunDirectory(directory);
  const stopping = new AbortController();
  const agent = keepAgent(options, stopping.signal);
  const captureCode = await keepCapture(options);
  if (!signal.aborted) {
    logger.info({ code: captureCode }, captureCode === 0 ? 'source played to its end' : 'capture failed');
  }
  // Capture is gone, so the agent has seen the end of the stream: it seals what is left, uploads and ends.
  stopping.abort();
  const agentCode = await agent;
  return captureCode === 0 && agentCode === 0 ? 0 : 1;
}

/** FIFOs and status files of an earlier life say nothing about this one. */
function makeRunDirectory(directory: CameraDirectory): void {
  rmSync(directory.run, { recursive: true, force: true });
  mkdirSync(directory.run, { recursive: true, mode: 0o700 });
  makeFifo(directory.mediaFifo);
  makeFifo(directory.captureFifo);
}

/** Starts capture again whenever something killed it; what it refuses by itself it would refuse again. */
async function keepCapture(options: LauncherOptions): Promise<number> {
  const { logger, signal } = options;
  for (let failures = 0; ; ) {
    const startedAt = systemClock.monotonic();
    const child = startRole(options, 'capture', {});
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const code = await exitOf(child);
    signal.removeEventListener('abort', stop);
    if (signal.aborted || code !== KILLED) return code;
    failures = systemClock.monotonic() - startedAt > 60_000 ? 1 : failures + 1;
    const delay = restartDelay(failures, Math.random());
    logger.error({ delayMs: Math.round(delay) }, 'capture was killed; starting it again');
    await systemClock.sleep(delay, signal).catch(() => undefined);
  }
}

/** Starts the agent again whenever it dies, until asked to stop; then gives it the time it needs to drain. */
async function keepAgent(options: LauncherOptions, stopping: AbortSignal): Promise<number> {
  const { logger } = options;
  for (let failures = 0; ; ) {
    const startedAt = systemClock.monotonic();
    const child = startRole(options, 'agent', { GLIBC_TUNABLES: AGENT_MALLOC });
    const stop = () => child.kill('SIGTERM');
    stopping.addEventListener('abort', stop, { once: true });
    if (stopping.aborted) stop();
    const code = await exitOf(child);
    stopping.removeEventListener('abort', stop);
    if (stopping.aborted) return code;
    failures = systemClock.monotonic() - startedAt > 60_000 ? 1 : failures + 1;
    const delay = restartDelay(failures, Math.random());
    logger.error({ code, delayMs: Math.round(delay) }, 'agent ended; starting it again');
    await systemClock.sleep(delay, stopping).catch(() => code);
    if (stopping.aborted) return code;
  }
}

function startRole(
  { directory, audio, script, execArgv, logLevel }: LauncherOptions,
  role: 'agent' | 'capture',
  env: Record<string, string>,
): ChildProcess {
  const options = ['--log-level', logLevel, ...(role === 'capture' && audio ? ['--audio'] : [])];
  const args = [...execArgv, ...V8_FLAGS, script, 'camera', role, directory.path, ...options];
  return spawnTethered(process.execPath, args, ['ignore', 'inherit', 'inherit'], env);
}

/** Stands for the exit code of a process that a signal ended. */
const KILLED = 128;

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolvePromise, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolvePromise(code ?? (signal === null ? 1 : KILLED)));
  });
}
