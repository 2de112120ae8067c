import { Command } from 'commander';
import { backupCommands } from './server/backup.ts';
import { caCommand } from './server/ca.ts';
import { cameraCommand } from './server/camera-commands.ts';
import { certifyCommand, initCommand } from './server/making-commands.ts';
import { pinsCommand } from './server/pins.ts';
import { policyCommand } from './server/policy.ts';
import { fleetCommand } from './server/releases-command.ts';
import { runCommand } from './server/run-command.ts';
import { updatesCommand } from './server/updates-commands.ts';

/** `oriel server`: the household's server. Heavy modules are loaded by the action that needs them. */
export function serverCommand(): Command {
  const command = new Command('server')
    .description('run the server that stores what cameras upload')
    .commandsGroup('Run a server:')
    .addCommand(initCommand())
    .addCommand(runCommand())
    .commandsGroup('Its cameras:')
    .addCommand(cameraCommand())
    .addCommand(certifyCommand())
    .addCommand(policyCommand())
    .addCommand(fleetCommand())
    .addCommand(updatesCommand())
    .commandsGroup('Its keys and its data:')
    .addCommand(pinsCommand())
    .addCommand(caCommand())
    .addHelpText(
      'after',
      `
The server stores sealed footage and cannot decrypt it.

From nothing to a running server that lets one camera in:
  oriel server init ./house --host 192.168.1.10
  oriel server run ./house
  oriel keys pair me.key --server https://192.168.1.10:8443 --pin sha256/... --out setup-code
  oriel server camera claim ./house claim:...

\`oriel server COMMAND --help\` explains each.`,
    );
  for (const each of backupCommands()) command.addCommand(each);
  return command;
}
