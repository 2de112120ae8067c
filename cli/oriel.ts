import { Command } from 'commander';
import { version } from '../ota/version.ts';
import { cameraCommand } from './camera.ts';
import { footageCommand } from './footage.ts';
import { keysCommand } from './keys.ts';
import { launcherCommand } from './launcher.ts';
import { releaseCommand } from './release.ts';
import { serverCommand } from './server.ts';

/** `oriel`: every command and option that there is. */
export function orielCommand(): Command {
  return new Command('oriel')
    .description('A camera that looks out and lets nothing in: the camera, its server, and the footage.')
    .version(version())
    .addHelpText(
      'after',
      `
How the parts fit:
  a camera captures and seals (oriel camera), its one pinned server stores what it cannot open (oriel server),
  and whoever holds the viewing key (oriel keys) opens it (oriel footage).

To see all of it at work: scripts/demo`,
    )
    .showHelpAfterError('(add --help for what there is)')
    .addCommand(cameraCommand())
    .addCommand(serverCommand())
    .addCommand(keysCommand())
    .addCommand(footageCommand())
    .addCommand(releaseCommand())
    .addCommand(launcherCommand());
}
