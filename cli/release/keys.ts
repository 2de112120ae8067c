import { Command } from 'commander';
import { passphraseOption, publicOption, repeated, wholeNumber } from '../options.ts';
import { print } from './options.ts';

interface AnchorOptions {
  readonly repository: string;
  readonly product?: string;
}

export function anchorCommand(): Command {
  return new Command('anchor')
    .description('bring the public documents to the newest root: what new kits and images trust')
    .argument('<public>', 'public documents, as oriel release keys made them; made anew if they are lost')
    .requiredOption('--repository <dir>', 'directory of the repository, with its roots')
    .option('--product <name>', 'what the cameras are, where the public documents are lost')
    .addHelpText(
      'after',
      `
Run it after a rotation has come into force: a kit made with the old documents trusts the old root keys for as long as
the camera lives. Each root is judged by the keys of the one before it, beginning with the one in the public documents.
Writes root.json and anchor.json, and says if the key list still lacks signatures of the new root keys:
  oriel release anchor ./keys/public --repository ./repository
  oriel release sign ./keys/public --key root-3.pem --key root-4.pem

Sign the key list with keys of both: cameras flashed before go by the old anchor.`,
    )
    .action(async (directory: string, options: AnchorOptions) => {
      const { makeAnchor } = await import('../../ota/release/make-anchor.ts');
      print(await makeAnchor(directory, options));
    });
}

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
