import { nodePrimitives } from '../crypto/primitives-node.ts';
import type { DirectoryChanges } from '../host/directory-changes.ts';
import type { Disk } from '../host/disk.ts';
import { CameraClock } from './clock/camera-clock.ts';
import type { Control } from './control/control.ts';
import { openControl } from './control/open-control.ts';
import type { AgentEffects } from './effects.ts';
import { openPairing, type Pairing } from './pairing/open-pairing.ts';
import { PolicyOnFile } from './pairing/policy-poll.ts';
import type { CameraConfig, CameraDirectory } from './state/camera-directory.ts';
import { CameraState } from './state/camera-state.ts';
import { type DeviceKey, loadDeviceKey } from './state/device-key.ts';
import { PolicyWatch } from './state/policy-watch.ts';
import { type ReportedCamera, StatusReporter } from './status-reporter.ts';
import type { OpenedUpdates, OpenUpdatesOptions, SlotPlace } from './updates/open-updates.ts';

interface CameraParts extends ReportedCamera {
  readonly config: CameraConfig;
  readonly state: CameraState;
  readonly status: StatusReporter;
  readonly control: Control;
  readonly updates: OpenedUpdates | undefined;
}

/** What a camera has before it records: identity, certificate, policy, time, and what shows them. */
export class Camera {
  readonly directory: CameraDirectory;
  readonly config: CameraConfig;
  readonly device: DeviceKey;
  readonly time: CameraClock;
  readonly state: CameraState;
  readonly policy: PolicyWatch;
  readonly policyOnFile: PolicyOnFile;
  readonly pairing: Pairing;
  readonly status: StatusReporter;
  readonly control: Control;
  readonly updates: OpenedUpdates | undefined;

  private constructor(parts: CameraParts) {
    this.directory = parts.directory;
    this.config = parts.config;
    this.device = parts.device;
    this.time = parts.time;
    this.state = parts.state;
    this.policy = parts.policy;
    this.policyOnFile = parts.policyOnFile;
    this.pairing = parts.pairing;
    this.status = parts.status;
    this.control = parts.control;
    this.updates = parts.updates;
  }

  /** @param changes of the directory. @throws CameraError, HostError, OtaError where its files cannot be read. */
  static async open(
    directory: CameraDirectory,
    changes: DirectoryChanges,
    effects: AgentEffects,
  ): Promise<Camera> {
    const { clock, disk, random, releaseTimeMs, logger, place } = effects;
    const config = directory.readConfig();
    const device = await loadDeviceKey(directory);
    const time = await CameraClock.open({
      clock,
      disk,
      path: directory.trustedTime,
      releaseTimeMs,
      synchronised: effects.clockIsSynchronised,
    });
    const state = new CameraState(directory, disk);
    const identity = { camera: device.camera, owner: config.owner };
    const policy = new PolicyWatch(directory, state, identity, nodePrimitives);
    const common = { directory, disk, device, clock: time, random, logger };
    const pairing = await openPairing({
      ...common,
      config,
      state,
      watch: policy,
      ...(place !== undefined && { onTrial: () => isOnTrial(disk, place) }),
      changes,
    });
    const policyOnFile = new PolicyOnFile(policy, time, logger);
    const reported = { directory, device, time, policy, policyOnFile, pairing };
    const status = new StatusReporter(reported, effects);
    const { server } = pairing;
    const certificate = () => pairing.enrolment.certificate;
    const choice = () => (policy.present ? policy.inForce.policy.updates : undefined);
    const updates =
      place === undefined ? undefined : await loadUpdates({ ...common, server, certificate, place, choice });
    const control = openControl({
      ...common,
      camera: device.camera,
      server,
      certificate,
      status: () => status.now(),
      ...(config.telemetrySeconds !== undefined && { telemetryMs: config.telemetrySeconds * 1000 }),
      version: updates?.version ?? effects.version,
      refresh: () => {
        pairing.poll.checkNow();
        updates?.checkNow();
      },
    });
    status.attach({ control, updates });
    pairing.uplinks.add(control);
    if (updates !== undefined) pairing.uplinks.add(updates);
    return new Camera({ ...reported, config, state, status, control, updates });
  }

  /** The client certificate, PEM; undefined before the first. */
  get certificate(): string | undefined {
    return this.pairing.enrolment.certificate;
  }

  /** Gets certificates and policies, is there for its server, and updates itself, until the signal; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const showing = () => ({
      status: this.status.recorded,
      mayFilm: this.policy.present,
      connected: this.control.view.connected,
    });
    await Promise.all([
      this.pairing.run(signal),
      this.control.run(signal),
      this.updates?.run(showing, signal),
    ]);
  }
}

/** A camera that nothing updates does without the code for it. */
async function loadUpdates(options: OpenUpdatesOptions): Promise<OpenedUpdates> {
  const { openUpdates } = await import('./updates/open-updates.ts');
  return openUpdates(options);
}

/** Whether the release that runs has still to show that it works. @throws OtaError, HostError. */
async function isOnTrial(disk: Disk, place: SlotPlace): Promise<boolean> {
  const { readInstallation } = await import('../ota/installation.ts');
  const { readSlotState } = await import('./updates/own-slot.ts');
  return (await readSlotState(disk, await readInstallation(disk, place.installation))).trial !== null;
}
