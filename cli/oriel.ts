import { Command } from 'commander';
import { version } from '../ota/version.ts';
import { cameraCommand } from './camera.ts';
import { completeCommand, completionCommand } from './completion.ts';
import { footageCommand } from './footage.ts';
import { keysCommand } from './keys.ts';
import { launcherCommand } from './launcher.ts';
import { releaseCommand } from './release.ts';
import { serverCommand } from './server.ts';

/** `oriel`: every command and option that there is. */
export function orielCommand(): Command {
  const oriel = new Command('oriel');
  return oriel
    .description('A security camera that accepts no connection, and a server that cannot watch.')
    .version(version())
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText(
      'after',
      `
Run a server       oriel server init ./house --host 192.168.1.10
                   oriel server run ./house
Set up a camera    oriel keys pair me.key --server ... --pin ... --out code
                   oriel camera setup ./cam --code code --source ...
Watch              oriel footage open ./house --key me.key --out day.mp4
See how it goes    oriel server camera list ./house

oriel COMMAND --help explains each, with examples. Try it all: scripts/demo`,
    )
    .showHelpAfterError('(add --help for what there is)')
    .addCommand(serverCommand())
    .addCommand(keysCommand())
    .addCommand(cameraCommand())
    .addCommand(footageCommand())
    .addCommand(releaseCommand())
    .addCommand(launcherCommand())
    .addCommand(completionCommand())
    .addCommand(
      completeCommand(() => oriel),
      { hidden: true },
    );
}
