import type { DirectoryChanges } from '../../host/directory-changes.ts';
import type { Disk } from '../../host/disk.ts';
import { type ServerDial, serverDial } from '../client/dial.ts';
import type { FailureView } from '../client/failure-tracker.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { leaveWord } from '../firewall/unreachable.ts';
import type { AgentLog } from '../log.ts';
import type { CameraConfig, CameraDirectory } from '../state/camera-directory.ts';
import type { CameraState } from '../state/camera-state.ts';
import type { DeviceKey } from '../state/device-key.ts';
import type { PolicyWatch } from '../state/policy-watch.ts';
import { Enrolment } from './enrolment.ts';
import { PinnedServer } from './pinned-server.ts';
import { PinsInbox } from './pins-inbox.ts';
import { PolicyPoll, type PolicyPollOptions } from './policy-poll.ts';

export interface PairingOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly config: CameraConfig;
  readonly device: DeviceKey;
  readonly state: CameraState;
  readonly watch: PolicyWatch;
  readonly onTrial?: PolicyPollOptions['onTrial'];
  readonly clock: CameraClock;
  /** Of the camera's directory. */
  readonly changes: DirectoryChanges;
  readonly random: () => number;
  readonly logger: AgentLog;
}

/** What binds a camera to its server and its owner. */
export interface Pairing {
  readonly pinned: PinnedServer;
  readonly server: ServerDial;
  readonly enrolment: Enrolment;
  readonly poll: PolicyPoll;
  /** What is wrong with the pin statement that was laid down, or that the server brings. */
  readonly pinsTrouble: () => FailureView | undefined;
  /** Everything with a connection to the server: told when the certificate is another, or the server. */
  readonly uplinks: Set<{ reconnect(): void }>;
  /** Gets certificates, policies and pin statements until the signal aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** The pairing epoch of a camera until a policy of its owner's says otherwise. */
const FIRST_EPOCH = 1;

/** @throws CameraError CONFIG_MALFORMED; HostError. */
export async function openPairing(options: PairingOptions): Promise<Pairing> {
  const { directory, disk, config, device, state, watch, onTrial, clock, changes, random, logger } = options;
  const uplinks = new Set<{ reconnect(): void }>();
  const reconnect = () => {
    for (const each of uplinks) each.reconnect();
  };
  const pinned = await PinnedServer.open({
    directory,
    disk,
    config,
    camera: device.camera,
    epoch: () => state.policy?.epoch ?? FIRST_EPOCH,
    withoutCertificate: (change) => enrolment.withoutCertificate(change),
    onChange: reconnect,
  });
  const server = serverDial({
    server: pinned,
    device,
    trustedTimeMs: () => clock.trustedMs,
    onUnreachable: leaveWord(directory.unreachable, clock),
    onClassical: () =>
      logger.warn(
        { server: pinned.origin },
        'the server answers a small ClientHello only: X25519 alone is offered for six hours, without ML-KEM',
      ),
  });
  const common = { directory, disk, clock, changes, random, logger };
  const enrolment = await Enrolment.open({
    ...common,
    device,
    server,
    moved: () => pinned.moved,
    onCertificate: reconnect,
  });
  const poll = new PolicyPoll({ ...common, server, enrolment, watch, onTrial, pinned });
  const inbox = new PinsInbox({ ...common, server: pinned });
  uplinks.add(poll);
  return {
    pinned,
    server,
    enrolment,
    poll,
    pinsTrouble: () => inbox.trouble ?? poll.pinsTrouble,
    uplinks,
    run: async (signal) => {
      await Promise.all([enrolment.run(signal), poll.run(signal), inbox.run(signal)]);
    },
  };
}
