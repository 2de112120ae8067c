import { Command } from 'commander';
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
