import { Command } from 'commander';
import { publicOption, repeated } from '../options.ts';
import { print } from './options.ts';

interface RotateOptions {
  readonly public: string;
  readonly add?: string[];
  readonly remove?: string[];
}

export function rotateCommand(): Command {
  return new Command('rotate')
    .description('replace keys: propose a new root, and a new key list when release keys change')
    .argument('<repository>', 'directory of the repository')
    .addOption(publicOption().makeOptionMandatory())
    .option('--add <role=file>', 'key that is new: root, release or online, and its .pem', repeated)
    .option('--remove <id>', 'key that is to go: the beginning of its id', repeated)
    .addHelpText(
      'after',
      `
A release key was lost, and a new one takes its place:
  openssl genpkey -algorithm ed25519 -out release-4.pem
  oriel release rotate ./repository --public ./keys/public --remove 1f2e3d4c --add release=release-4.pem
  oriel release sign ./repository --key root-1.pem --key root-2.pem --key release-2.pem --key release-4.pem
  oriel release sign ./keys/public --key root-1.pem --key root-2.pem
  oriel release finish ./repository --online online.pem
  oriel release anchor ./keys/public --repository ./repository

A new root is signed by root keys of the old and of the new one, and the targets anew. Bundles that are published from
then on carry the new key list; a camera that has seen it refuses older ones. What a camera was flashed with, the
anchor's root keys, signs key lists for as long as the camera lives.`,
    )
    .action(async (repository: string, options: RotateOptions) => {
      const { rotate } = await import('../../ota/release/rotate-keys.ts');
      print(await rotate(repository, options));
    });
}
