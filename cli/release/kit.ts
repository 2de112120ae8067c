import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { CommandError } from '../errors.ts';
import { hardwareOption, publicOption } from '../options.ts';

interface KitOptions {
  readonly public: string;
  readonly hardware?: string;
  readonly limits?: string;
}

export function kitCommand(): Command {
  return new Command('kit')
    .description('make of a signed bundle what a board is installed from: launcher, first release, units')
    .argument('<kit>', 'directory to create')
    .argument('<bundle>', 'bundle, signed by as many release keys as it takes')
    .addOption(publicOption().makeOptionMandatory())
    .addOption(hardwareOption('the board that it is for, if the bundle is for several'))
    .option('--limits <file>', 'how long to wait before a release is judged there, if not the usual')
    .addHelpText(
      'after',
      `
On a board with Debian 12 or 13 or Raspberry Pi OS, \`sudo ./install\` in the kit does all of it; \`./install --root DIR\`
does it in the file system of an image. Both verify the release again, with the root keys in the kit.

Nobody has signed the kit itself: whoever installs from it trusts where it comes from. Give its SHA-256 away with it.
The same sources, bundle and public documents give the same files, and packed so, the same bytes:
  tar -C KIT/.. --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cJf kit.tar.xz KIT

Example:
  oriel release kit ./kit ./bundle --public ./keys/public`,
    )
    .action((kit: string, bundle: string, options: KitOptions) => makeKit(kit, bundle, options));
}

/** In a process of its own: the bundler and the sources are no part of what is shipped. */
function makeKit(kit: string, bundle: string, options: KitOptions): void {
  const script = resolve(import.meta.dirname, '../../scripts/build-kit.ts');
  if (!existsSync(script)) {
    throw new CommandError('USAGE', 'a kit is made from a checkout of the sources, with its ./oriel');
  }
  if (existsSync(kit)) throw new CommandError('FILE_EXISTS', `${kit} is there already`);
  const given = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const args = [script, kit, bundle, ...given];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) throw new CommandError('FILE_UNWRITABLE', `${kit} was not made; see above`);
}
