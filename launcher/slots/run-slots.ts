import { join } from 'node:path';
import type { Logger } from 'pino';
import type { CaptureConfig } from '../../agent/capture/capture-config.ts';
import { parseSource } from '../../agent/capture/source.ts';
import { errorFields } from '../../agent/log.ts';
import type { CameraDirectory } from '../../agent/state/camera-directory.ts';
import type { Clock } from '../../host/clock.ts';
import { FILES_DIRECTORY, PROGRAM_PATH, RUNTIME_PATH } from '../../ota/bundle.ts';
import type { LauncherLimits } from '../../ota/launcher-limits.ts';
import { afterCaptureEnd } from '../../ota/slot-rules.ts';
import type { ReturnCode } from '../../ota/slot-state.ts';
import { advance, phaseOf } from '../../ota/slot-transitions.ts';
import type { Slots, WholeSlot } from '../../ota/slots.ts';
import { runCamera } from '../launcher.ts';
import type { OrielCommand } from '../oriel-command.ts';
import type { PrivilegeSeparation } from '../privilege-separation.ts';
import { type ReadySlot, SlotRun } from './slot-run.ts';

export interface RunSlotsOptions {
  readonly slots: Slots;
  /** What the camera was flashed with. */
  readonly installation: string;
  readonly limits: LauncherLimits;
  readonly directory: CameraDirectory;
  readonly separation: PrivilegeSeparation | undefined;
  /**
   * Has a release say what is to be captured. @param alone whether a camera that runs already is to be refused, once.
   * @returns undefined when it refuses, or was told to end.
   */
  readonly plan: (
    command: OrielCommand,
    alone: boolean,
    signal: AbortSignal,
  ) => Promise<CaptureConfig | undefined>;
  /** Claims the camera for this launcher, as long as it runs. @throws CameraError CAMERA_RUNNING; HostError. */
  readonly claim: () => Promise<void>;
  readonly logLevel: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** As LauncherOptions. */
  readonly relay: (line: string) => void;
  /** Aborted to end. */
  readonly signal: AbortSignal;
}

/** With no slot to run, how long until they are looked at again. */
const NOTHING_WHOLE_MS = 60_000;
/** Before a slot that could not be started, or whose capture has ended, is run again, or the other. */
const GIVEN_UP_MS = 1_000;
/** A release that is set up says what it captures in a second. */
const PLAN_MS = 60_000;

/** Runs the camera from its slots, and changes between them, until the signal. @returns an exit code. */
export async function runSlots(options: RunSlotsOptions): Promise<number> {
  const { signal } = options;
  const camera: Claim = { made: false };
  const captured = new Set<number>();
  let ready: ReadySlot | undefined;
  while (!signal.aborted) {
    const next = ready ?? (await makeReady(options, camera));
    ready = undefined;
    if (typeof next === 'number') return next;
    if (next === undefined) continue;
    const end = await runSlot(options, next, captured);
    if (end.code !== undefined) return end.code;
    ready = end.next;
  }
  return 0;
}

/** Whether the camera has been claimed for this launcher. */
interface Claim {
  made: boolean;
}

/** The slot to run, looked at just now. @returns undefined when that is to be asked again; an exit code when nothing may run. */
async function makeReady(options: RunSlotsOptions, camera: Claim): Promise<ReadySlot | number | undefined> {
  const { slots, clock, logger, signal } = options;
  const whole = await slots.choose((slot, error) =>
    logger.error({ slot, ...errorFields(error) }, 'this slot is not as it was signed'),
  );
  if (whole === undefined) {
    logger.fatal({}, 'no slot holds a release that is whole: nothing runs; flash this camera again');
    await clock.sleep(NOTHING_WHOLE_MS, signal).catch(() => undefined);
    return undefined;
  }
  const lookedAt = clock.monotonic();
  const plan = await planOf(options, whole, !camera.made);
  if (plan === undefined) {
    if (signal.aborted) return 0;
    if (phaseOf(slots.state) !== 'trial') return 1;
    // No release is to blame for a camera that runs already.
    if (!camera.made) await options.claim();
    camera.made = true;
    await sendBack(slots, 'PLAN_REFUSED');
    return undefined;
  }
  if (!camera.made) await options.claim();
  camera.made = true;
  // To set a camera up takes any time: what was looked at before it is looked at again.
  return clock.monotonic() - lookedAt > PLAN_MS ? undefined : { whole, plan };
}

/** @param alone as {@link RunSlotsOptions.plan}; then it may have to be set up first, which takes any time. */
async function planOf(
  { plan, logLevel, logger, signal }: RunSlotsOptions,
  whole: WholeSlot,
  alone: boolean,
): Promise<CaptureConfig | undefined> {
  const patience = alone ? signal : AbortSignal.any([signal, AbortSignal.timeout(PLAN_MS)]);
  try {
    return await plan(commandOf(whole, logLevel), alone, patience);
  } catch (error) {
    logger.error(errorFields(error), 'this release does not say what it captures');
    return undefined;
  }
}

interface SlotEnd {
  /** Undefined when another slot, or the same, is to be run. */
  readonly code: number | undefined;
  readonly next: ReadySlot | undefined;
}

/**
 * Runs one slot until another is to run, or all is to end.
 * @param captured counters of the releases that have captured since this launcher started.
 */
async function runSlot(
  options: RunSlotsOptions,
  { whole, plan }: ReadySlot,
  captured: Set<number>,
): Promise<SlotEnd> {
  const { slots, directory, separation, logger, relay, signal } = options;
  const { slot, bundle } = whole;
  logger.info({ slot, version: bundle.version, phase: phaseOf(slots.state) }, 'starting this slot');
  const run = new SlotRun({
    ...options,
    whole,
    captured,
    incoming: join(directory.path, 'updates', 'incoming'),
    planOf: (next) => planOf(options, next, false),
  });
  const ended = new AbortController();
  const watching = run.watch(AbortSignal.any([signal, ended.signal]));
  const code = await runCamera({
    directory,
    plan,
    separation,
    captureDials: parseSource(plan.source, plan.lan).dials !== null,
    command: commandOf(whole, options.logLevel),
    lives: run,
    logger,
    relay,
    signal: AbortSignal.any([signal, run.over]),
  });
  ended.abort();
  await watching;
  return { code: await afterRun(options, run, code), next: run.next };
}

/** What follows the end of both processes. */
async function afterRun(
  { slots, clock, signal }: RunSlotsOptions,
  run: SlotRun,
  code: number,
): Promise<number | undefined> {
  if (signal.aborted) {
    await run.settle();
    return code;
  }
  if (run.over.aborted) return undefined;
  if (run.givenUp) {
    await clock.sleep(GIVEN_UP_MS, signal).catch(() => undefined);
    return undefined;
  }
  // Capture has ended by itself: its source was played to its end, or is refused.
  const next = afterCaptureEnd(code, phaseOf(slots.state) === 'trial', run.captured);
  if (next === 'send-back') {
    await sendBack(slots, 'CAPTURE_FAILED');
    return undefined;
  }
  await run.settle();
  if (next === 'end') return code;
  await clock.sleep(GIVEN_UP_MS, signal).catch(() => undefined);
  return undefined;
}

/** Also on a disk that takes no more. */
const sendBack = (slots: Slots, code: ReturnCode) =>
  slots.changeAnyway((state) => advance(state, { kind: 'unhealthy', code }));

/** A slot's own runtime and program. */
export function commandOf({ directory }: WholeSlot, logLevel: string): SlotCommand {
  const file = (path: string) => join(directory, FILES_DIRECTORY, path);
  return { runtime: file(RUNTIME_PATH), script: file(PROGRAM_PATH), execArgv: [], logLevel };
}

/** Of which the runtime is its own too. */
export type SlotCommand = OrielCommand & Required<Pick<OrielCommand, 'runtime'>>;
