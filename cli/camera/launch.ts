import { existsSync, statSync } from 'node:fs';
import type { Logger } from 'pino';
import type { CaptureConfig } from '../../agent/capture/capture-config.ts';
import { parseSource } from '../../agent/capture/source.ts';
import { awaitSetup, claimAfterSetup } from '../../agent/pairing/await-setup.ts';
import { type CameraPlan, planCamera } from '../../agent/pairing/plan-camera.ts';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraError } from '../../agent/state/errors.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import { systemClock } from '../../host/clock.ts';
import { nonBlocking, tryWrite } from '../../host/non-blocking.ts';
import { keepMemorySmall } from '../../host/processes.ts';
import { askForPlan } from '../../launcher/ask-for-plan.ts';
import { claimForLauncher } from '../../launcher/claim.ts';
import { runCamera } from '../../launcher/launcher.ts';
import type { OrielCommand } from '../../launcher/oriel-command.ts';
import { checkPrivilegeSeparation, type PrivilegeSeparation } from '../../launcher/privilege-separation.ts';
import { EXIT } from '../exit-codes.ts';
import { logDestination } from '../log-destination.ts';
import { outliveReaders, stopSignal } from '../signals.ts';
import { warn } from '../terminal.ts';
import { type RoleUsers, separationOf } from './privilege-separation.ts';
import { closeDoors, openLog } from './role-process.ts';

/** A camera's live counters, as one line for people. */
export function counters(status: AgentStatus): string {
  if (status.state === 'unpaired' || status.state === 'waiting') return waitsFor(status);
  const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(2)} MiB`;
  const lost = status.droppedSeconds + status.skippedSeconds;
  return [
    `captured ${status.capturedSeconds.toFixed(1)} s`,
    `${status.fragments} fragments`,
    `${status.segments} segments`,
    `sealed ${mebibytes(status.sealedBytes)}`,
    `acknowledged ${status.acknowledgedSeconds.toFixed(1)} s, ${mebibytes(status.acknowledgedBytes)}`,
    `spooled ${mebibytes(status.spooledBytes)}`,
    ...(lost > 0 ? [`lost ${lost.toFixed(1)} s`] : []),
    ...(status.gapSeconds > 0 ? [`not filmed ${status.gapSeconds.toFixed(1)} s`] : []),
  ].join(' · ');
}

/** What a camera waits for that does not record yet. */
function waitsFor({ state, enrolment, policy }: AgentStatus): string {
  if (state === 'unpaired') return 'waits to be set up: oriel camera setup';
  const trouble = enrolment.trouble ?? policy.trouble;
  const what = enrolment.state === 'enrolled' ? "its owner's policy" : 'its certificate';
  return `waits for ${what}${trouble === undefined ? '' : `: ${trouble.wayOut ?? trouble.message}`}`;
}

/** Shows the counters on a terminal, one line written over and over, until it is stopped. One that has stopped shows none. */
export function showCounters(read: () => AgentStatus | undefined): () => void {
  const terminal = nonBlocking(1);
  const timer = setInterval(() => {
    const status = read();
    const room = process.stdout.columns - 1;
    if (status !== undefined) tryWrite(terminal, `\r\x1b[K${counters(status).slice(0, room)}`);
  }, 500);
  return () => {
    clearInterval(timer);
    tryWrite(terminal, '\n');
  };
}

export interface LaunchOptions extends RoleUsers {
  readonly logLevel: string;
}

/** `oriel camera run`: the launcher. */
export async function launch(dir: string, options: LaunchOptions): Promise<number> {
  closeDoors('launcher');
  keepMemorySmall();
  outliveReaders();
  const [, script = ''] = process.argv;
  const separation = separationOf(options);
  const start = {
    directory: new CameraDirectory(dir),
    command: { script, execArgv: process.execArgv },
  };
  return separation === undefined
    ? launchByHand(start, options.logLevel)
    : launchSeparated(start, options.logLevel, separation);
}

interface Start {
  readonly directory: CameraDirectory;
  readonly command: Omit<OrielCommand, 'logLevel'>;
}

/** All of it as the user who starts it, with what a person at a terminal wants to see. */
async function launchByHand(start: Start, logLevel: string): Promise<number> {
  const person = process.stdout.isTTY && process.stderr.isTTY && logLevel === 'info';
  const level = person ? 'warn' : logLevel;
  const byHand = {
    person,
    level,
    logger: openLog(level, 'launcher'),
    signal: stopSignal(),
  };
  const { directory } = start;
  refuseRootElsewhere(directory);
  const waiting = { ...byHand, clock: systemClock };
  const blank = directory.isBlank();
  if (blank) {
    const { path } = directory;
    if (person)
      console.log(
        `No camera is set up in ${path} yet; waiting for: oriel camera setup ${path} --code FILE --source SOURCE`,
      );
    if (!(await awaitSetup(directory, waiting))) return EXIT.ok;
  }
  const plan = await planCamera(directory.path, warn);
  const claim = () => claimCamera(directory, 'launcher');
  const release = await (blank ? claimAfterSetup(claim, waiting) : claim());
  try {
    return await runByHand(start, plan, byHand);
  } finally {
    release();
  }
}

/** What root leaves in there, the camera's own user can neither read nor replace. @throws CameraError CAMERA_OWNER. */
function refuseRootElsewhere({ path }: CameraDirectory): void {
  const owner = existsSync(path) ? statSync(path).uid : 0;
  if (process.geteuid?.() !== 0 || owner === 0) return;
  throw new CameraError(
    'CAMERA_OWNER',
    `${path} belongs to user ${owner}, and root would leave files there that this user cannot replace: run it as ` +
      `that user, as in: setpriv --reuid=${owner} --regid=${statSync(path).gid} --clear-groups oriel camera run ${path}`,
  );
}

interface ByHand {
  /** Whether somebody looks on. */
  readonly person: boolean;
  readonly level: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

async function runByHand(
  { directory, command }: Start,
  plan: CameraPlan,
  { person, level, logger, signal }: ByHand,
): Promise<number> {
  const stopShowing = person ? greet(plan, directory) : () => undefined;
  const code = await runCamera({
    directory,
    plan: plan.capture,
    separation: undefined,
    captureDials: dials(plan.capture),
    command: { ...command, environment: compiled(), logLevel: level },
    logger,
    relay,
    signal,
  });
  stopShowing();
  const held = readStatus(directory.status)?.heldSeconds ?? 0;
  if (person && held > 0) console.log(`${held.toFixed(1)} s wait in the spool; the next run uploads them.`);
  return code;
}

/** Agent and capture each as a user of its own; the launcher itself reads no file of the camera's. */
async function launchSeparated(
  { directory, command }: Start,
  logLevel: string,
  separation: PrivilegeSeparation,
): Promise<number> {
  const logger = openLog(logLevel, 'launcher');
  const signal = stopSignal();
  checkPrivilegeSeparation(directory, separation);
  const whole = { ...command, logLevel };
  const plan = await askForPlan({
    directory,
    command: whole,
    user: separation.agent,
    alone: true,
    logger,
    relay,
    signal,
  });
  if (plan === undefined) return signal.aborted ? EXIT.ok : EXIT.failure;
  const over = new AbortController();
  const claim = { directory, user: separation.agent, clock: systemClock, logger, signal: over.signal };
  await claimForLauncher(claim);
  try {
    return await runCamera({
      directory,
      plan,
      separation,
      captureDials: dials(plan),
      command: whole,
      logger,
      relay,
      signal,
    });
  } finally {
    over.abort();
  }
}

/** Where this user, who is the roles' too, has Node keep compiled modules: that is most of a start from source. */
function compiled(): Record<string, string> {
  const { NODE_COMPILE_CACHE: directory } = process.env;
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}

/** The roles' lines go where the launcher's own go. */
const relay = (line: string) => logDestination(2).write(line);

const dials = ({ source, lan }: CaptureConfig) => parseSource(source, lan).dials !== null;

/** Tells a person at a terminal what is happening, and shows the counters. */
function greet({ camera, origin }: CameraPlan, directory: CameraDirectory): () => void {
  console.log(`Camera ${camera} films for ${origin}; Ctrl-C ends it.`);
  console.log('Started by hand: agent and capture run as the same user.');
  return showCounters(() => readStatus(directory.status));
}
