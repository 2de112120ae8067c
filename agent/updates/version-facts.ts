import { join } from 'node:path';
import { readFileBounded } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { type Bundle, MANIFEST_FILE, MAX_MANIFEST_BYTES, parseBundle } from '../../ota/bundle.ts';
import { readInstallation, readSlotState, slotDirectory } from '../../ota/installation.ts';
import type { SlotState } from '../../ota/slot-state.ts';
import { slotToRun } from '../../ota/slot-transitions.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { readStatus } from '../status/status.ts';
import type { ReleaseView } from '../status/views.ts';

/** A release, and until when it is looked after. */
export interface ReleaseFacts {
  readonly version: string;
  /** Undefined where there is no bundle. */
  readonly counter: number | undefined;
  /** UTC. */
  readonly released: string;
  /** The last day with security fixes. */
  readonly supported: string;
}

/** What this build says of itself. */
export type ProgramRelease = Omit<ReleaseFacts, 'counter'>;

/** The board, as it was flashed. */
export interface Model {
  readonly product: string;
  readonly hardware: string;
}

export interface VersionFacts {
  /** Undefined where nothing says. */
  readonly model: Model | undefined;
  /** What runs, or would. */
  readonly release: ReleaseFacts;
  /** The slots; undefined where nothing updates the camera. */
  readonly slots: SlotState | undefined;
  /** The slot that it runs from. */
  readonly slot: 'a' | 'b' | undefined;
  readonly waiting: ReleaseView['waiting'];
  /** What is certainly past, ms since 1970; undefined where nobody keeps it. */
  readonly trustedMs: number | undefined;
}

/** Of a program that no slot holds. */
export function programFacts(program: ProgramRelease): VersionFacts {
  const release = { ...program, counter: undefined };
  return {
    model: undefined,
    release,
    slots: undefined,
    slot: undefined,
    waiting: undefined,
    trustedMs: undefined,
  };
}

/**
 * Of a camera, from what its agent shows and its launcher keeps.
 * @param given directory with the slots, for a camera whose agent has not run since the machine started.
 * @throws CameraError CAMERA_MISSING; FileError FILE_UNREADABLE; OtaError.
 */
export async function cameraFacts(
  dir: string,
  given: string | undefined,
  program: ProgramRelease,
): Promise<VersionFacts> {
  const directory = new CameraDirectory(dir);
  const status = readStatus(directory.status);
  if (status === undefined) directory.readConfig();
  const trustedMs = status?.clock.trusted;
  const installation = given ?? status?.release?.installation;
  if (installation === undefined) return { ...programFacts(program), trustedMs };
  const slots = await readSlotState(installation);
  const slot = slotToRun(slots);
  const { version, counter, released, supported } = await bundleOf(slotDirectory(installation, slot));
  const release = { version, counter, released, supported };
  const { product, hardware } = (await readInstallation(systemDisk, installation)).trust;
  return { model: { product, hardware }, release, slots, slot, waiting: status?.release?.waiting, trustedMs };
}

async function bundleOf(slot: string): Promise<Bundle> {
  const bytes = await readFileBounded(systemDisk, join(slot, MANIFEST_FILE), MAX_MANIFEST_BYTES);
  return parseBundle(bytes ?? new Uint8Array());
}
