import { join } from 'node:path';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { orielArguments } from '../../launcher/oriel-command.ts';
import { commandOf } from '../../launcher/slots/run-slots.ts';
import { readInstallation, readSlotState } from '../../ota/installation.ts';
import { nameOfRefused, otherSlot, type ReleaseName, type SlotState } from '../../ota/slot-state.ts';
import { isLegal } from '../../ota/slot-transitions.ts';
import { ROLLBACK_FILE, Slots } from '../../ota/slots.ts';
import { CommandError } from '../errors.ts';

const EXEC_ARGV = ['--disable-warning=ExperimentalWarning'];

/**
 * `oriel launcher exec`: this process becomes the program of the active slot, which is verified byte by byte first.
 * @throws OtaError; HostError; CommandError FILE_UNREADABLE. Nothing of the slot has run then.
 */
export async function execInSlot(installation: string, args: readonly string[]): Promise<never> {
  // A state that cannot be read is the running launcher's to make anew.
  const { active } = await readSlotState(installation);
  const { trust } = await readInstallation(systemDisk, installation);
  const slots = await Slots.open({ disk: systemDisk, directory: installation, trust });
  const command = commandOf(await slots.verify(active), 'info');
  const argv = [command.runtime, ...orielArguments({ ...command, execArgv: EXEC_ARGV }, args)];
  if (process.execve === undefined) throw new CommandError('USAGE', 'this platform cannot replace a process');
  return process.execve(command.runtime, argv, process.env);
}

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
