import { join } from 'node:path';
import * as v from 'valibot';
import { readFileBounded } from '../host/atomic-file.ts';
import { type Disk, systemDisk } from '../host/disk.ts';
import { FileError } from '../host/errors.ts';
import { Identifier } from './bundle.ts';
import { OtaError } from './errors.ts';
import { MAX_KEY_LIST_BYTES, parseAnchor } from './key-list.ts';
import { MAX_STATE_BYTES, parseSlotState, type SlotName, type SlotState } from './slot-state.ts';
import { STATE_FILE } from './slots.ts';
import type { BundleTrust } from './verify-bundle.ts';

/** The state of an installation's slots, as its launcher wrote it last. @throws FileError FILE_UNREADABLE; OtaError SLOTS_MALFORMED. */
export async function readSlotState(installation: string): Promise<SlotState> {
  const path = join(installation, STATE_FILE);
  const bytes = await readFileBounded(systemDisk, path, MAX_STATE_BYTES);
  if (bytes === undefined) throw new FileError('FILE_UNREADABLE', `${path} is missing, or too long`);
  try {
    return parseSlotState(bytes);
  } catch (error) {
    if (!(error instanceof OtaError) || error.code !== 'SLOTS_MALFORMED') throw error;
    throw new OtaError(
      'SLOTS_MALFORMED',
      `${path}: ${error.message}; the launcher makes it anew when it starts: stop the camera, and start it again`,
      error,
    );
  }
}

/**
 * What a camera is flashed with, in a directory that belongs to root and that everybody may read: whom to believe, what
 * board it is, and the slots.
 */
export const ANCHOR_FILE = 'anchor.json';
/** The TUF root to begin with. */
export const ROOT_FILE = 'root.json';
/** One word and a line feed. */
export const HARDWARE_FILE = 'hardware';

export interface Installation {
  readonly directory: string;
  readonly trust: Omit<BundleTrust, 'keysCounter'>;
}

/** @throws OtaError SIGNATURES_MALFORMED, HARDWARE_FOREIGN; HostError. */
export async function readInstallation(disk: Disk, directory: string): Promise<Installation> {
  const anchor = parseAnchor(await readWhole(disk, join(directory, ANCHOR_FILE), MAX_KEY_LIST_BYTES));
  const name = Buffer.from(await readWhole(disk, join(directory, HARDWARE_FILE), 64))
    .toString()
    .trim();
  const hardware = v.safeParse(Identifier, name);
  if (!hardware.success) {
    throw new OtaError(
      'HARDWARE_FOREIGN',
      `${join(directory, HARDWARE_FILE)} does not name a board: write its name there, as the bundles for it have it (linux-x64)`,
    );
  }
  const { product, keys, threshold } = anchor;
  return { directory, trust: { root: { keys, threshold }, product, hardware: hardware.output } };
}

export const slotDirectory = (installation: string, slot: SlotName) => join(installation, slot);
export const slotStateFile = (installation: string) => join(installation, STATE_FILE);

async function readWhole(disk: Disk, path: string, maxBytes: number): Promise<Uint8Array> {
  const bytes = await readFileBounded(disk, path, maxBytes);
  if (bytes === undefined) throw new OtaError('SIGNATURES_MALFORMED', `${path} is missing, or too long`);
  return bytes;
}
