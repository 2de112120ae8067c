import { write } from 'node:fs';
import type { UpdateChoice } from '../../crypto/policy.ts';
import type { Clock } from '../../host/clock.ts';
import type { Disk } from '../../host/disk.ts';
import { type Installation, readInstallation } from '../../ota/installation.ts';
import { type AgentFacts, FACTS_FD, writeFacts } from '../../ota/launcher-protocol.ts';
import { returnedAbove, type SlotName } from '../../ota/slot-state.ts';
import type { ServerDial } from '../client/dial.ts';
import type { FailureView } from '../client/failure-tracker.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import type { DeviceKey } from '../state/device-key.ts';
import type { AgentStatus } from '../status/status.ts';
import type { ReleaseView } from '../status/views.ts';
import { readOwnSlot, readSlotState } from './own-slot.ts';
import { Reports } from './reports.ts';
import { sealingSelfTest } from './sealing-self-test.ts';
import { watchInbox } from './update-inbox.ts';
import { Updates } from './updates.ts';

const TELL_MS = 1000;

/**
 * Tells the launcher each second that this agent lives, and how it does. Of a launcher that does not listen no more is
 * asked than that it takes one line before the next is written.
 */
async function sendHeartbeat(facts: () => AgentFacts, clock: Clock, signal: AbortSignal): Promise<void> {
  let writing = false;
  while (!signal.aborted) {
    if (!writing) {
      writing = true;
      write(FACTS_FD, writeFacts(facts()), () => {
        writing = false;
      });
    }
    await clock.sleep(TELL_MS, signal).catch(() => undefined);
  }
}

/** Where an agent runs from that a launcher with slots has started. */
export interface SlotPlace {
  readonly installation: string;
  readonly slot: SlotName;
}

export interface OpenUpdatesOptions {
  readonly place: SlotPlace;
  readonly directory: CameraDirectory;
  readonly device: DeviceKey;
  readonly server: ServerDial;
  readonly certificate: () => string | undefined;
  /** When its owner lets it install updates; undefined when nothing was chosen. */
  readonly choice: () => UpdateChoice | undefined;
  readonly disk: Disk;
  readonly clock: CameraClock;
  readonly random: () => number;
  readonly logger: AgentLog;
}

/** What the launcher judges this agent by, beside what its updates tell. */
export interface Showing {
  readonly status: Pick<AgentStatus, 'fragments' | 'records'>;
  readonly mayFilm: boolean;
  readonly connected: boolean;
}

export interface OpenedUpdates {
  /** What this agent is, by its bundle. */
  readonly version: string;
  /** Why the last check for updates came to nothing. */
  readonly trouble: FailureView | undefined;
  readonly release: ReleaseView;
  checkNow(): void;
  reconnect(): void;
  /** Updates the camera, and tells the launcher how this agent does, until the signal. */
  run(showing: () => Showing, signal: AbortSignal): Promise<void>;
}

/** @throws OtaError, HostError when the slot cannot be read. */
export async function openUpdates(options: OpenUpdatesOptions): Promise<OpenedUpdates> {
  const { place, directory, device, disk, clock, logger } = options;
  const installation: Installation = await readInstallation(disk, place.installation);
  const own = await readOwnSlot(disk, installation, place.slot);
  const updates = new Updates({
    ...options,
    own,
    directory: directory.updates,
    camera: device.camera,
    // A release that goes back takes its agent with it: what this one reads at its start stays true.
    returned: returnedAbove(await readSlotState(disk, installation), own.bundle.counter),
  });
  const reports = new Reports({ ...options, installation });
  let opened = false;
  return {
    version: own.bundle.version,
    get trouble() {
      return updates.trouble;
    },
    get release() {
      return updates.release;
    },
    checkNow: () => updates.checkNow(),
    reconnect: () => updates.reconnect(),
    run: async (showing, signal) => {
      const facts = () => {
        const { status, mayFilm, connected } = showing();
        return {
          mayFilm,
          captured: status.fragments > 0,
          sealed: status.records > 0,
          opened,
          ...updates.facts,
          connected: connected || updates.facts.connected,
          memoryBytes: process.memoryUsage.rss(),
          delivered: reports.delivered,
        };
      };
      const telling = sendHeartbeat(facts, clock, signal);
      opened = await sealingSelfTest(device).catch((error) => {
        logger.error(errorFields(error), 'this agent cannot open what it seals');
        return false;
      });
      const inbox = watchInbox(
        { directory: directory.updates, disk, clock, logger },
        (update) => updates.take(update, signal),
        signal,
      );
      await Promise.all([telling, updates.run(signal), reports.run(signal), inbox]);
    },
  };
}
