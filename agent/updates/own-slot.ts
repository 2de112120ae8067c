import { join } from 'node:path';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { type Bundle, MANIFEST_FILE, MAX_MANIFEST_BYTES, parseBundle } from '../../ota/bundle.ts';
import { OtaError } from '../../ota/errors.ts';
import { type Installation, slotDirectory, slotStateFile } from '../../ota/installation.ts';
import { MAX_STATE_BYTES, parseSlotState, type SlotName, type SlotState } from '../../ota/slot-state.ts';

/** The slot that this agent runs from, which its launcher alone can write to. */
export interface OwnSlot {
  readonly installation: Installation;
  readonly slot: SlotName;
  readonly directory: string;
  /** What this agent is. */
  readonly bundle: Bundle;
}

/** @throws OtaError FILE_MISSING, BUNDLE_*; HostError. */
export async function readOwnSlot(disk: Disk, installation: Installation, slot: SlotName): Promise<OwnSlot> {
  const directory = slotDirectory(installation.directory, slot);
  const manifest = await readFileBounded(disk, join(directory, MANIFEST_FILE), MAX_MANIFEST_BYTES);
  if (manifest === undefined) throw new OtaError('FILE_MISSING', `slot ${slot} has no manifest`);
  return { installation, slot, directory, bundle: parseBundle(manifest) };
}

/** What the launcher wrote last. @throws OtaError SLOTS_MALFORMED; HostError. */
export async function readSlotState(disk: Disk, { directory }: Installation): Promise<SlotState> {
  const bytes = await readFileBounded(disk, slotStateFile(directory), MAX_STATE_BYTES);
  if (bytes === undefined) {
    const why =
      'the slots have no state that can be read: the launcher makes it anew when it is started again';
    throw new OtaError('SLOTS_MALFORMED', why);
  }
  return parseSlotState(bytes);
}
