import { join } from 'node:path';
import { readFileBounded } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { OtaError } from '../../ota/errors.ts';
import {
  MAX_STATE_BYTES,
  nameOfRefused,
  otherSlot,
  parseSlotState,
  type ReleaseName,
  type SlotState,
} from '../../ota/slot-state.ts';
import { STATE_FILE } from '../../ota/slots.ts';
import { CommandError } from '../errors.ts';

/** @throws CommandError FILE_UNREADABLE; OtaError SLOTS_MALFORMED. */
export async function showSlots(installation: string, json: boolean): Promise<void> {
  const state = await readState(installation);
  console.log(json ? JSON.stringify(state) : slotsText(state).join('\n'));
}

/** @throws CommandError FILE_UNREADABLE; OtaError SLOTS_MALFORMED. */
export async function readState(installation: string): Promise<SlotState> {
  const path = join(installation, STATE_FILE);
  const bytes = await readFileBounded(systemDisk, path, MAX_STATE_BYTES);
  if (bytes === undefined) throw new CommandError('FILE_UNREADABLE', `${path} is missing, or too long`);
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

/** The slots for people. */
export function slotsText(state: SlotState): string[] {
  const { active, release, minimum, refused } = state;
  const other = otherSlot(active);
  return [
    `slot ${active}  ${named(release)}, confirmed: it runs`,
    `slot ${other}  ${otherText(state)}`,
    `nothing below ${minimum} is installed any more`,
    ...refused.map((each) => `release ${nameOfRefused(each)} went back: ${each.code}`),
  ];
}

function otherText({ trial, spare }: SlotState): string {
  if (spare !== null) return `${named(spare)}, confirmed before`;
  if (trial === null) return 'empty';
  const turn = trial.phase === 'turn' ? '; the release before has a turn' : '';
  return `${named(trial.release)}, on trial: ${trial.tries} failed tries${turn}`;
}

const named = ({ version, counter }: ReleaseName) => `${version} (number ${counter})`;
