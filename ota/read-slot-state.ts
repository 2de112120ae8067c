import { join } from 'node:path';
import { readFileBounded } from '../host/atomic-file.ts';
import { systemDisk } from '../host/disk.ts';
import { FileError } from '../host/errors.ts';
import { OtaError } from './errors.ts';
import { MAX_STATE_BYTES, parseSlotState, type SlotState } from './slot-state.ts';
import { STATE_FILE } from './slots.ts';

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
