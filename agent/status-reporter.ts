import { viewersBelowFloor } from '../crypto/day-keys.ts';
import { idText } from '../crypto/header.ts';
import type { CameraClock } from './clock/camera-clock.ts';
import type { Control } from './control/control.ts';
import type { AgentEffects } from './effects.ts';
import type { Pairing } from './pairing/open-pairing.ts';
import type { PolicyOnFile } from './pairing/policy-poll.ts';
import type { Pipeline } from './pipeline.ts';
import { AccountKeeper } from './recording/accounting-file.ts';
import type { CameraDirectory } from './state/camera-directory.ts';
import type { DeviceKey } from './state/device-key.ts';
import type { PolicyWatch } from './state/policy-watch.ts';
import { type AgentStatus, idlePipeline, unpairedStatus } from './status/status.ts';
import { StatusFile, statusIsDue } from './status/status-file.ts';
import type { OpenedUpdates } from './updates/open-updates.ts';

/** What of a camera its status tells. */
export interface ReportedCamera {
  readonly directory: CameraDirectory;
  readonly device: DeviceKey;
  readonly time: CameraClock;
  readonly policy: PolicyWatch;
  readonly policyOnFile: PolicyOnFile;
  readonly pairing: Pairing;
}

/** What is opened later, and is told of changes. */
export interface ReportedLinks {
  readonly control: Pick<Control, 'view' | 'tellNow'>;
  readonly updates: Pick<OpenedUpdates, 'trouble' | 'release'> | undefined;
}

/** Makes the agent's status, writes it where it is due, and keeps the account of the footage with it. */
export class StatusReporter {
  readonly #camera: ReportedCamera;
  readonly #effects: Pick<AgentEffects, 'clock' | 'logger'>;
  readonly #file: StatusFile;
  readonly #account: AccountKeeper;
  #links: ReportedLinks | undefined;
  #phase: Pick<AgentStatus, 'state' | 'since'>;
  #pipeline: Pipeline | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #last: AgentStatus;

  constructor(camera: ReportedCamera, effects: Pick<AgentEffects, 'clock' | 'logger'>) {
    const now = camera.time.now();
    this.#camera = camera;
    this.#effects = effects;
    this.#file = new StatusFile(camera.directory);
    this.#account = new AccountKeeper(camera.directory, effects.clock);
    this.#phase = { state: 'waiting', since: now };
    this.#last = unpairedStatus(now);
  }

  /** From now on the status tells of these, and control tells the server at once when the camera does something else. */
  attach(links: ReportedLinks): void {
    this.#links = links;
  }

  /** Shows what the camera does now, and writes it where that is due. */
  show(state: AgentStatus['state'], pipeline: Pipeline | undefined): void {
    const isNews = this.#writtenAt === Number.NEGATIVE_INFINITY || this.#phase.state !== state;
    this.#phase = { state, since: isNews ? this.#camera.time.now() : this.#phase.since };
    this.#pipeline = pipeline;
    const now = this.#effects.clock.monotonic();
    if (!statusIsDue({ isNews, wasRead: this.#file.wasRead, sinceMs: now - this.#writtenAt })) return;
    this.#writtenAt = now;
    this.#file.write(this.now());
    if (isNews) this.#links?.control.tellNow();
  }

  /** The status last made once something was recorded, since that stays so; else one of now. */
  get recorded(): AgentStatus {
    return this.#last.records > 0 ? this.#last : this.now();
  }

  /** How the camera is now. */
  now(): AgentStatus {
    const { readOnly: wasReadOnly } = this.#last;
    const readOnly = this.#noteReadOnly(wasReadOnly);
    const { device, time, policyOnFile, pairing, policy } = this.#camera;
    const { pinned, server, enrolment, poll } = pairing;
    const links = this.#links;
    const recorded = this.#pipeline?.status() ?? idlePipeline();
    this.#account.keep(recorded.account, this.#pipeline?.gaps.kept, this.#phase.state !== 'running');
    this.#last = {
      camera: device.camera,
      server: pinned.origin,
      pins: pinned.pins,
      keyShare: server.keyShare,
      pinning: { counter: pinned.counter, trouble: pairing.pinsTrouble() },
      pid: process.pid,
      ...this.#phase,
      at: time.now(),
      clock: {
        source: time.source,
        trusted: time.trustedMs,
        server: time.serverMs,
        serverApart: time.serverApartMs,
      },
      enrolment: enrolment.status,
      policy: { ...policyShown(policy), trouble: policyOnFile.trouble ?? poll.trouble },
      control: links?.control.view ?? this.#last.control,
      updates: links?.updates && { trouble: links.updates.trouble },
      release: links?.updates?.release,
      ...recorded,
      readOnly,
      memoryBytes: process.memoryUsage.rss(),
    };
    if (readOnly !== wasReadOnly) links?.control.tellNow();
    return this.#last;
  }

  #noteReadOnly(was: boolean): boolean {
    const { isReadOnly } = this.#camera.directory;
    const { logger } = this.#effects;
    if (isReadOnly && !was)
      logger.error({}, 'the card is read-only: what is filmed waits in memory, and nothing is kept');
    else if (was && !isReadOnly) logger.info({}, 'the card can be written to again');
    return isReadOnly;
  }
}

/** What is shown of the policy in force; 0.0 while there is none. */
function policyShown(policy: PolicyWatch): Omit<AgentStatus['policy'], 'trouble'> {
  if (!policy.present) return { epoch: 0, counter: 0, belowFloor: [] };
  const { policy: terms, viewers } = policy.inForce;
  const belowFloor = viewersBelowFloor(viewers).map(({ viewer }) => idText(viewer));
  return { epoch: terms.epoch, counter: terms.counter, belowFloor };
}
