import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { jsonLine } from '../../text/printable.ts';
import { jsonOption, outOption, serverDirectory } from '../options.ts';

/** `oriel server backup`, `restore`, `settled` and `new-registry`: before and after a server's directory is lost. */
export function backupCommands(): Command[] {
  return [backupCommand(), restoreCommand(), settledCommand(), newRegistryCommand()];
}

function backupCommand(): Command {
  return new Command('backup')
    .description('copy all that makes this server what it is, but not the footage, into one file')
    .addArgument(serverDirectory('; its server may run'))
    .addOption(outOption('where to write the backup; an older one is replaced').makeOptionMandatory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
In it: who may come in and who was shut out, claims, policies, pin statements, health and reports; addresses, keys and
certificates of the server and its CAs; the root of the maker that \`server run --updates\` follows. It is as secret as
identity/: keep it where only you can read it. Make one every day, and after each \`server ca promote\` and
\`server camera revoke\`: what comes after it is not in it.

Not in it, and to be copied with any tool: DIR/footage, whose files never change once they are whole, and DIR/updates,
whose metadata changes with each release: copy it again then. DIR/mirror is fetched again from the maker. What lies
among the server's files and is none of them is left out, and named (with --json in leftOut).

Examples:
  oriel server backup ./house --out /media/usb/house.backup
  oriel server restore ./house-again /media/usb/house.backup`,
    )
    .action(
      async (directory: string, { out: file, json }: { readonly out: string; readonly json?: true }) => {
        const [{ makeBackup }, { systemDisk }, { checkOutput }, { commandPatience }] = await Promise.all([
          import('../../server/backup.ts'),
          import('../../host/disk.ts'),
          import('../../host/files.ts'),
          import('../../server/registry/patience.ts'),
        ]);
        checkOutput(file, { force: true, inputs: [join(directory, 'registry.db'), ...filesOf(directory)] });
        const { madeAtMs, files, leftOut } = await makeBackup(
          systemDisk,
          directory,
          file,
          Date.now(),
          commandPatience(directory, console.error),
        );
        const madeAt = new Date(madeAtMs).toISOString();
        const said = { file, madeAt, files: ['registry.db', ...files.map(({ path }) => path)], leftOut };
        console.log(
          json
            ? jsonLine(said)
            : `backup of ${directory} written to ${file}, with the keys of its CAs: keep it as secret as they are\n` +
                `footage is not in it: copy ${directory}/footage as files` +
                leftOut.map((path) => `\nleft out, since it is no file of a server: ${path}`).join(''),
        );
      },
    );
}

function filesOf(directory: string): string[] {
  const identity = join(directory, 'identity');
  const keys = existsSync(identity) ? readdirSync(identity).map((name) => join(identity, name)) : [];
  return [join(directory, 'server.json'), ...keys];
}

function restoreCommand(): Command {
  return new Command('restore')
    .description("make a server's directory from a backup")
    .argument('<dir>', 'directory to create; must be absent or empty')
    .argument('<file>', 'backup made by `oriel server backup`')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The server is then as it was when the backup was made. Never run it beside the one that it replaces.

What came after the backup is undone, and is told until you have seen to it (\`oriel server settled DIR\`):
  cameras shut out since    may come in again: revoke them again
  cameras let in since      are unknown: they show up in \`oriel server camera list DIR\`; admit those that you know
  claims and admissions     are withdrawn, so that none is used twice: make new setup codes
  policies, pin statements  are the older ones: cameras refuse those, and go on with what they obey; put the newest
  a CA promoted since       is not here: use its backup key (\`oriel server ca promote DIR --backup-key FILE\`)

Footage: move or copy the footage directory into DIR before the start.

Example:
  oriel server restore ./house-again /media/usb/house.backup`,
    )
    .action(async (directory: string, file: string, { json }: { readonly json?: true }) => {
      const [{ restoreBackup }, { systemDisk }, { restoredText }] = await Promise.all([
        import('../../server/backup.ts'),
        import('../../host/disk.ts'),
        import('./restored.ts'),
      ]);
      const nowMs = Date.now();
      const { madeAtMs } = await restoreBackup(systemDisk, file, directory, nowMs);
      const said = {
        directory,
        madeAt: new Date(madeAtMs).toISOString(),
        restoredAt: new Date(nowMs).toISOString(),
      };
      console.log(
        json
          ? jsonLine(said)
          : [
              ...restoredText(directory, { madeAtMs, atMs: nowMs }),
              `Start it:  oriel server run ${directory}`,
            ].join('\n'),
      );
    });
}

function settledCommand(): Command {
  return new Command('settled')
    .description('say that you have seen to what a restored backup had undone: it is not shown any more')
    .addArgument(serverDirectory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  oriel server settled ./house`,
    )
    .action(async (directory: string, { json }: { readonly json?: true }) => {
      const [{ settled }, { withRegistry }] = await Promise.all([
        import('./camera-verbs.ts'),
        import('./registry.ts'),
      ]);
      const said = await withRegistry(directory, settled);
      console.log(json ? jsonLine(said.json) : said.text);
    });
}

function newRegistryCommand(): Command {
  return new Command('new-registry')
    .description('begin a new, empty registry where the old one is lost and there is no backup')
    .addArgument(serverDirectory('; its server has to be stopped'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Nobody may come in any more until you admit them again, one by one: those that you had shut out stay outside if you
leave them out. Cameras keep filming meanwhile. What is left of the old registry is put aside, not removed. With a
backup, use \`oriel server restore\` instead.

Example:
  oriel server new-registry ./house`,
    )
    .action(async (directory: string, { json }: { readonly json?: true }) => {
      const [{ newRegistry }] = await Promise.all([import('./restored.ts')]);
      const said = await newRegistry(directory);
      console.log(json ? jsonLine(said.json) : said.text);
    });
}
