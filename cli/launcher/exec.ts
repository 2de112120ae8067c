import { systemDisk } from '../../host/disk.ts';
import { orielArguments } from '../../launcher/oriel-command.ts';
import { commandOf } from '../../launcher/slots/run-slots.ts';
import { readInstallation } from '../../ota/installation.ts';
import { readSlotState } from '../../ota/read-slot-state.ts';
import { Slots } from '../../ota/slots.ts';
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
