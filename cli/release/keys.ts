import { Command } from 'commander';
import { passphraseOption, wholeNumber } from '../options.ts';
import { print } from './options.ts';

interface KeysOptions {
  readonly product: string;
  readonly rootKeys: number;
  readonly releaseKeys: number;
  readonly threshold: number;
  readonly passphraseFile?: string;
}

export function keysCommand(): Command {
  return new Command('keys')
    .description("make a maker's keys: root, release and online")
    .argument('<dir>', 'directory to create')
    .option('--product <name>', 'what the cameras are', 'oriel')
    .option('--root-keys <n>', 'root keys to make', wholeNumber(1, 16), 3)
    .option('--release-keys <n>', 'release keys to make', wholeNumber(1, 16), 3)
    .option('--threshold <n>', 'how many of each have to sign', wholeNumber(1, 16), 2)
    .addOption(passphraseOption())
    .addHelpText(
      'after',
      `
Makes, for you to take apart and keep in different places:
  root-N.pem      sign who may release; needed when a key is lost, kept offline, in a safe each
  release-N.pem   sign each release and who gets it; kept offline, by a person each
  online.pem      signs every day that the repository is current; on the machine that publishes
  public/         what goes into images, bundles and repositories: anchor.json, keys.json, root.json

Two of three: a key that is lost stops nothing, a key that is stolen installs nothing.

Example:
  oriel release keys ./keys`,
    )
    .action(async (directory: string, options: KeysOptions) => {
      const { makeKeys } = await import('../../ota/release/make-keys.ts');
      const { rootKeys: root, releaseKeys: release, ...others } = options;
      print(makeKeys(directory, { root, release, ...others }));
    });
}
