import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import type { CameraDirectory } from '../agent/state/camera-directory.ts';
import { killAs, spawnChild } from '../host/child.ts';
import { systemClock } from '../host/clock.ts';
import { relayLines } from '../host/relay-lines.ts';
import { runEnvironment } from '../ota/launcher-protocol.ts';
import { CAMERA_FLAGS, LAUNCHER, type OrielCommand, orielArguments } from './oriel-command.ts';
import { endingMs } from './restart-rules.ts';

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

/** What a role is started with. */
export interface RoleStart {
  readonly directory: CameraDirectory;
  readonly command: OrielCommand;
  readonly lives?: AgentStarts;
  /** Takes what it says on stderr, line by line. */
  readonly relay: (line: string) => void;
}

/** What its end goes by. */
export interface RoleEnding {
  readonly lives?: AgentStarts;
  readonly logger: Logger;
  /** Since the launcher was asked to end; undefined before. */
  readonly sinceSignalMs: () => number | undefined;
}

export interface Role {
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
 * Starts a role. Its stdin is the tether: the end of it asks the role to end, and comes of itself when the launcher
 * dies. (Without CAP_KILL the launcher may signal no process of another user.)
 */
export function startRole(
  { directory, command, lives, relay }: RoleStart,
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

/**
 * @param last said to it before, if another release goes on from here. What then does not end is killed; where even that is
 *   prevented this launcher ends, and systemd kills the rest with the unit's control group and starts it anew.
 */
export function askToEnd(
  child: ChildProcess,
  { name, killer }: Role,
  { lives, logger, sinceSignalMs }: RoleEnding,
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

export async function exitOf(child: ChildProcess): Promise<number> {
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
