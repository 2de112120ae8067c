import { Command } from 'commander';
import { jsonLine } from '../../text/printable.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, serverDirectory, waitOption } from '../options.ts';

/** `oriel server updates`: what cameras are given, and how old it is. */
export function updatesCommand(): Command {
  return new Command('updates')
    .description('show which updates cameras are given, and check for new ones')
    .addCommand(statusCommand())
    .addCommand(checkCommand());
}

function statusCommand(): Command {
  return new Command('status')
    .description('show where updates come from, which releases there are, and how the last check ended')
    .addArgument(serverDirectory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A server that follows a maker (\`oriel server run DIR --updates https://...\`) checks every hour by itself, and tells its
cameras when there is something new. Whatever the maker's server answers, cameras are given the last whole edition.

Example:
  oriel server updates status ./house`,
    )
    .action(async (dir: string, { json }: { readonly json?: true }) => {
      const { showUpdates } = await import('../../server/updates/show-updates.ts');
      const { updatesResult } = await import('./updates-text.ts');
      const shown = updatesResult(await showUpdates(dir), Date.now());
      console.log(json ? jsonLine(shown.json) : shown.text);
    });
}

function checkCommand(): Command {
  return new Command('check')
    .description('have the running server check its maker now, and wait for the outcome')
    .addArgument(serverDirectory())
    .addOption(waitOption('how long to wait for the outcome', 600))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Exit code 0 when all is in order.

Example:
  oriel server updates check ./house`,
    )
    .action(async (dir: string, { json, wait }: { readonly json?: true; readonly wait: number }) => {
      const { checkUpdates } = await import('../../server/updates/show-updates.ts');
      const { updatesResult } = await import('./updates-text.ts');
      const checked = updatesResult(await checkUpdates(dir, wait * 1000), Date.now());
      console.log(json ? jsonLine(checked.json) : checked.text);
      if (!checked.inOrder) process.exitCode = EXIT.failure;
    });
}
