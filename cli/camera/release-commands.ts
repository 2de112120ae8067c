import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, waitOption } from '../options.ts';
import type { VersionOptions } from './show-version.ts';
import type { UpdateOptions } from './update.ts';

/** What a camera runs, and bringing it another by hand: `oriel camera version` and `update`. */

export function versionCommand(): Command {
  return new Command('version')
    .description('show what a camera runs, until when that gets security fixes, and which release waits')
    .argument('[dir]', 'camera directory; without it, of this program')
    .option('--slots <installation>', 'directory with the slots, for a camera that has not run yet')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Whether support has ended is judged by the time that the camera trusts, or by this machine's clock without a camera.

Examples:
  oriel camera version ./cam
  oriel camera version ./cam --json | jq .supported`,
    )
    .action(async (dir: string | undefined, options: VersionOptions) => {
      const { showVersion } = await import('./show-version.ts');
      await showVersion(dir, options);
    });
}

export function updateCommand(): Command {
  return new Command('update')
    .description('bring a running camera an update from a file, as oriel release pack makes it')
    .argument('<dir>', 'camera directory')
    .argument('<file>', 'the file, from a USB stick for one')
    .addOption(waitOption('how long to follow what comes of it', 300))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
As root, or as the camera's user. The file is judged as what a server offers: signatures, metadata, product, board,
minimum, halt. Share of the cameras and the owner's hours do not count: it is tried now. It is confirmed once it has
filmed, sealed and reached the server; without a server it runs on trial until there is one.

Exit 0 when it was confirmed or runs on trial, 1 when it was refused or went back; nothing has changed then.

Example:
  sudo oriel camera update /var/lib/oriel-camera /media/stick/oriel-1.2.0.tar`,
    )
    .action(async (dir: string, file: string, options: UpdateOptions) => {
      const { updateFromFile } = await import('./update.ts');
      process.exitCode = (await updateFromFile(dir, file, options)) ? EXIT.ok : EXIT.failure;
    });
}
