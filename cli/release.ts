import { Command } from 'commander';
import type { PackOptions } from '../ota/release/pack.ts';
import {
  hardwareOption,
  jsonOption,
  outOption,
  passphraseOption,
  publicOption,
  repeated,
  yesOption,
} from './options.ts';
import { buildCommand } from './release/build.ts';
import { anchorCommand, keysCommand, rotateCommand } from './release/keys.ts';
import { kitCommand } from './release/kit.ts';
import { print, readSigners } from './release/options.ts';
import { haltCommand, promoteCommand, publishCommand } from './release/publish-commands.ts';

interface SignOptions {
  readonly yes?: true;
  readonly public?: string;
  readonly key: string[];
  readonly passphraseFile?: string;
  readonly out?: string;
}

/** `oriel release`: the maker's side of updates. Heavy modules are loaded by the action that needs them. */
export function releaseCommand(): Command {
  return new Command('release')
    .description('make, sign and publish releases for cameras')
    .addCommand(keysCommand())
    .addCommand(buildCommand())
    .addCommand(signCommand())
    .addCommand(attachCommand())
    .addCommand(kitCommand())
    .addCommand(publishCommand())
    .addCommand(promoteCommand())
    .addCommand(haltCommand())
    .addCommand(finishCommand())
    .addCommand(rotateCommand())
    .addCommand(anchorCommand())
    .addCommand(packCommand())
    .addCommand(statusCommand())
    .addHelpText(
      'after',
      `
A release is signed by two of the release keys, which are best on machines without a network; the repository is a
directory of static files for any web server, and whoever steals it can install nothing with it.

From nothing to a release that one camera in a hundred installs:
  oriel release keys ./keys
  oriel release build ./bundle --arch x64 --public ./keys/public
  oriel release sign ./bundle --key ./keys/release-1.pem
  oriel release sign ./bundle --key ./keys/release-2.pem
  oriel release publish ./repository ./bundle --public ./keys/public --percentage 1 \\
    --key ./keys/release-1.pem --key ./keys/release-2.pem --online ./keys/online.pem
  oriel release promote ./repository 1.2.0 --percentage 100 --key … --key … --online ./keys/online.pem

\`oriel release COMMAND --help\` explains each.`,
    );
}

function signCommand(): Command {
  return new Command('sign')
    .description('sign a bundle, a key list, or what is pending in a repository')
    .argument('<dir>', 'bundle, directory with keys.json, or repository')
    .requiredOption('--key <file>', 'private key to sign with; may be repeated', repeated)
    .addOption(passphraseOption())
    .addOption(outOption('write the signatures there alone, to be attached elsewhere'))
    .addOption(publicOption())
    .addOption(yesOption('sign what is shown without being asked'))
    .addHelpText(
      'after',
      `
Shows what it is to sign, and at a terminal asks before it does. Of a bundle: compare the SHA-256 with the person who built
it. Of a rotation and of a key list: who may do what, which keys are ADDED and which are REMOVED. A key that you do not
expect is somebody else's, and what you sign then is theirs. With --public a rotation is compared with the root that you
have yourself, and not with what the repository calls in force. Of targets: what each release is offered to.

On a machine without a network, of a bundle its bundle.json is enough, and of a repository its metadata/ and pending/:
  oriel release sign ./bundle --key release-1.pem --out release-1.sig
and where the bundle lies:
  oriel release attach ./bundle release-1.sig`,
    )
    .action(async (directory: string, options: SignOptions) => {
      const { signDirectory } = await import('../ota/release/signing.ts');
      const signers = await readSigners(options.key, options.passphraseFile);
      const { confirm } = await import('./release/options.ts');
      const { out, public: own, yes = false } = options;
      const wish = { signers, out, public: own, confirm: (lines: readonly string[]) => confirm(lines, yes) };
      print(await signDirectory(directory, wish));
    });
}

function attachCommand(): Command {
  return new Command('attach')
    .description('add signatures that were made on another machine')
    .argument('<dir>', 'bundle, directory with keys.json, or repository')
    .argument(
      '<files...>',
      'signatures by sign --out; for a repository, signed copies of what is in its pending/',
    )
    .addHelpText(
      'after',
      `
Example:
  oriel release attach ./bundle release-1.sig`,
    )
    .action(async (directory: string, files: string[]) => {
      const { attachSignatures } = await import('../ota/release/signing.ts');
      print(await attachSignatures(directory, files));
    });
}

function finishCommand(): Command {
  return new Command('finish')
    .description('put what is pending and signed into force, and renew the timestamp')
    .argument('<repository>', 'directory of the repository')
    .requiredOption('--online <file>', 'private key of snapshot and timestamp')
    .addOption(passphraseOption())
    .addHelpText(
      'after',
      `
What still lacks signatures stays pending, and is told; it holds up no renewal.

The timestamp lasts 30 days: run this from a timer, each day. A camera that gets none in time says that updates are
being kept from it.

Example:
  oriel release finish ./repository --online ./keys/online.pem`,
    )
    .action(
      async (directory: string, { online, passphraseFile }: { online: string; passphraseFile?: string }) => {
        const { finishRepository } = await import('../ota/release/repository-changes.ts');
        const [signer] = await readSigners([online], passphraseFile);
        print(await finishRepository(directory, signer as NonNullable<typeof signer>));
      },
    );
}

function packCommand(): Command {
  return new Command('pack')
    .description('write one release into one file, for cameras without a network')
    .argument('<repository>', 'directory of the repository')
    .addOption(outOption('file to write').makeOptionMandatory())
    .option('--release <version>', 'which release (default: the newest)')
    .addOption(hardwareOption('the board that it is for, where there are several'))
    .addHelpText(
      'after',
      `
On the board, as root or as the agent's user:
  oriel camera update CAMERA FILE

The file is judged there as the repository would be, and nothing in it is secret. Its timestamp lasts 30 days: pack anew
after each \`oriel release finish\`. A camera that has seen newer metadata refuses older: pack what is newest.

Example:
  oriel release pack ./repository --out oriel-1.2.0.tar`,
    )
    .action(async (directory: string, { out, ...options }: PackOptions & { readonly out: string }) => {
      const { packRelease } = await import('../ota/release/pack.ts');
      print(await packRelease(directory, out, options));
    });
}

function statusCommand(): Command {
  return new Command('status')
    .description('show what a repository offers, to whom, and until when')
    .argument('<repository>', 'directory of the repository')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  oriel release status ./repository`,
    )
    .action(async (directory: string, { json = false }: { json?: boolean }) => {
      const { statusOf } = await import('../ota/release/repository-status.ts');
      const { statusText } = await import('./release/status-text.ts');
      const status = await statusOf(directory);
      print(json ? [JSON.stringify(status)] : statusText(status));
    });
}
