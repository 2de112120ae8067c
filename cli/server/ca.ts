import { Command } from 'commander';
import { jsonOption, serverDirectory } from '../options.ts';

/** `oriel server ca`: the authority by which cameras know the server. */
export function caCommand(): Command {
  return new Command('ca')
    .description("replace the CA that signs the server's certificate")
    .addCommand(promoteCommand());
}

function promoteCommand(): Command {
  return new Command('promote')
    .description("put the backup CA in the place of the one that signs the server's certificate")
    .addArgument(serverDirectory('; its server has to be stopped'))
    .option('--backup-key <file>', "the backup CA's key, if it was taken away from the server")
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
For when the key of the server's CA was lost or stolen. Cameras go on: they know the backup pin already. But they
believe the old CA too, until their owner signs the new pins: do that at once, with the command that is printed. A
fresh backup CA is made: keep a copy of its key elsewhere.

A server of which only the backup key is left: \`oriel server init\` with --ca-key.

Example:
  oriel server ca promote ./house --backup-key /media/usb/backup-ca.key`,
    )
    .action(async (directory: string, options: { readonly backupKey?: string; readonly json?: true }) => {
      const [{ readTextFile }, { promoteHere }, { promotedText }, { presentTime }] = await Promise.all([
        import('../../host/files.ts'),
        import('../../server/pki/promotion.ts'),
        import('./promoted-text.ts'),
        import('../../ota/release/present-time.ts'),
      ]);
      const { backupKey: path } = options;
      const backupKey = path === undefined ? undefined : readTextFile(path, MAX_KEY_BYTES);
      const promoted = await promoteHere(directory, backupKey, new Date(presentTime()));
      console.log(options.json ? JSON.stringify(promoted.configuration) : promotedText(directory, promoted));
    });
}

const MAX_KEY_BYTES = 64 * 1024;
