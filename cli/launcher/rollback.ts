import { join } from 'node:path';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { readSlotState } from '../../ota/read-slot-state.ts';
import { isLegal } from '../../ota/slot-transitions.ts';
import { ROLLBACK_FILE } from '../../ota/slots.ts';
import { CommandError } from '../errors.ts';

/** Lays down the wish, for the launcher to take. @throws CommandError USAGE when there is nothing to go back to. */
export async function askForRollback(installation: string): Promise<void> {
  const state = await readSlotState(installation);
  if (!isLegal(state, 'rollback')) {
    const why =
      state.spare === null
        ? 'no slot holds a release that was confirmed before'
        : `${state.spare.version} is below the minimum ${state.minimum}`;
    throw new CommandError('USAGE', `there is no way back: ${why}`);
  }
  await writeFileAtomic(systemDisk, join(installation, ROLLBACK_FILE), new Uint8Array(), 0o644);
  const to = state.trial === null ? state.spare?.version : state.release.version;
  console.log(`The launcher goes back to ${to} as soon as it runs.`);
}
