import { readSlotState } from '../../ota/read-slot-state.ts';
import { nameOfRefused, otherSlot, type ReleaseName, type SlotState } from '../../ota/slot-state.ts';

/** @throws FileError FILE_UNREADABLE; OtaError SLOTS_MALFORMED. */
export async function showSlots(installation: string, json: boolean): Promise<void> {
  const state = await readSlotState(installation);
  console.log(json ? JSON.stringify(state) : slotsText(state).join('\n'));
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
