import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CameraDirectory } from '../agent/state/camera-directory.ts';
import { CameraError } from '../agent/state/errors.ts';
import { makeElsewhere, removeElsewhere } from '../agent/state/run-elsewhere.ts';
import { COMMAND_NOT_FOUND, collect } from '../host/child.ts';
import { makeFifo } from '../host/fifo.ts';
import { CAPABILITY, hasCapability, type OsUser } from '../host/os-user.ts';
import { type Sandbox, sandboxed } from '../host/sandbox.ts';

/** The users of a camera's two processes. */
export interface PrivilegeSeparation {
  readonly agent: OsUser;
  readonly capture: OsUser;
}

const LIMITS = { timeoutMs: 30_000, maxBytes: 64 * 1024 };

/**
 * Whether this launcher can separate agent and capture, and whether the camera's directory is as they need it: the
 * agent's own, and capture may pass through it but see nothing.
 * @throws CameraError LAUNCHER_UNPRIVILEGED, CAMERA_OWNER
 */
export function checkPrivilegeSeparation(
  directory: CameraDirectory,
  { agent, capture }: PrivilegeSeparation,
): void {
  if (!hasCapability(CAPABILITY.setuid) || !hasCapability(CAPABILITY.setgid)) {
    throw new CameraError(
      'LAUNCHER_UNPRIVILEGED',
      'to give agent and capture users of their own, the launcher needs CAP_SETUID and CAP_SETGID: run it as root',
    );
  }
  if (agent.uid === capture.uid || agent.gid === capture.gid) {
    throw new CameraError(
      'CAMERA_OWNER',
      'agent and capture need two users with two groups: name them with --agent-user and --capture-user',
    );
  }
  const { uid, gid, mode } = lstatSync(directory.path);
  if (uid !== agent.uid || gid !== capture.gid || (mode & 0o777) !== 0o710) {
    const { path } = directory;
    throw new CameraError(
      'CAMERA_OWNER',
      `${path} has to be the agent's, and capture may only pass: ` +
        `chown -R ${agent.uid}:${capture.gid} ${path} && chmod 710 ${path}`,
    );
  }
}

export function sandboxOf(user: OsUser, network: Sandbox['network']): Sandbox {
  return { user, network, emptyBoundingSet: hasCapability(CAPABILITY.setpcap) };
}

/** Whether processes of this user can be given a network namespace of their own here. */
export async function canCutNetwork(user: OsUser): Promise<boolean> {
  const under = sandboxed(sandboxOf(user, 'none'));
  const { code } = await collect('true', [], { ...LIMITS, signal: new AbortController().signal, under });
  return code === 0;
}

/** FIFOs and status files of an earlier life say nothing about this one. */
export function makeRunDirectory(directory: CameraDirectory): void {
  makeElsewhere(directory.run, true);
  if (directory.run !== directory.runElsewhere) removeElsewhere(directory.runElsewhere);
  makeFifos(directory);
}

/** Makes the FIFOs that are missing, or are none any more. */
export function makeFifos(directory: CameraDirectory): void {
  mkdirSync(directory.captureRun, { recursive: true, mode: 0o700 });
  for (const path of fifosOf(directory).keys()) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFIFO()) continue;
    rmSync(path, { recursive: true, force: true });
    makeFifo(path);
  }
}

/** Each FIFO, with the mode that it has for two users. Video and pictures go one way, keyframes the other, commands are seen by both. */
const fifosOf = (directory: CameraDirectory) =>
  new Map([
    [directory.mediaFifo, '620'],
    [directory.captureFifo, '660'],
    [directory.keyframeFifo, '640'],
    [directory.snapshotFifo, '620'],
  ]);

/**
 * The same for separate users. The launcher touches no file of theirs: it has no right to, and root that follows a
 * path which others can change is how such launchers fall. What is capture's, capture's user removes; the rest is
 * the agent's. What both share is sticky (inode(7)): capture writes files of its own there, and can neither remove nor
 * replace a FIFO.
 */
export async function makeSharedRunDirectory(
  directory: CameraDirectory,
  { agent, capture }: PrivilegeSeparation,
): Promise<void> {
  const leftByCapture =
    '! test -d "$1" || { chmod -R u+rwX "$1"; find "$1" -mindepth 1 -delete; } 2>/dev/null';
  const { run, runElsewhere } = directory;
  for (const path of new Set([run, runElsewhere])) await shell(capture, leftByCapture, join(path, 'capture'));
  const steps = ['rm -rf "$1"', 'mkdir -m 710 "$1"', 'mkdir -m 1770 "$1/capture"'];
  // Somebody else's stays: nobody takes that for the camera's.
  if (run !== runElsewhere) steps.unshift('{ rm -rf "$2" || :; } 2>/dev/null');
  const made = await shell({ ...agent, gid: capture.gid }, steps.join(' && '), run, runElsewhere);
  if (made.code !== 0) throw notMade(directory, run, made.stderr);
  await makeSharedFifos(directory, { agent, capture });
}

/** As {@link makeFifos}, for separate users. @throws CameraError RUN_DIRECTORY. */
export async function makeSharedFifos(
  directory: CameraDirectory,
  { agent, capture }: PrivilegeSeparation,
): Promise<void> {
  const script = `while [ $# -gt 0 ]; do
    { [ -p "$1" ] && [ -O "$1" ] && [ ! -L "$1" ]; } || { rm -rf "$1" && mkfifo -m "$2" "$1"; } || exit 1
    shift 2
  done`;
  const made = await shell({ ...agent, gid: capture.gid }, script, ...[...fifosOf(directory)].flat());
  if (made.code !== 0) throw notMade(directory, `the FIFOs in ${directory.captureRun}`, made.stderr);
}

/** What root left there, say, the agent's user cannot remove. */
function notMade({ run }: CameraDirectory, what: string, stderr: string): CameraError {
  const way = `stop the camera, make room there, and remove what another user left: sudo rm -rf ${run}`;
  return new CameraError('RUN_DIRECTORY', `cannot make ${what}: ${stderr.trim()}; ${way}`);
}

async function shell(user: OsUser, script: string, ...args: readonly string[]) {
  const under = sandboxed(sandboxOf(user, 'shared'));
  const signal = new AbortController().signal;
  const done = await collect('sh', ['-c', script, 'sh', ...args], { ...LIMITS, signal, under });
  if (done.code === COMMAND_NOT_FOUND)
    throw new CameraError('RUN_DIRECTORY', 'sh cannot be run: apt-get install dash');
  return done;
}
