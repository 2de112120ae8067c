import { Argument, Command, InvalidArgumentError } from 'commander';
import { jsonLine } from '../../text/printable.ts';
import { EXIT } from '../exit-codes.ts';

const DEFAULT_WAIT_SECONDS = 600;

/** `oriel server updates`: what cameras are given, and how old it is. */
export function updatesCommand(): Command {
  return new Command('updates')
    .description('show which updates cameras are given, and have the server check its maker now')
    .argument('<dir>', 'directory made by `oriel server init`')
    .addArgument(new Argument('[verb]', 'what to do').choices(['status', 'check']).default('status'))
    .option('--wait <seconds>', 'how long `check` waits for the outcome', parseWait, DEFAULT_WAIT_SECONDS)
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
  status   where updates come from, which releases there are, when the maker was checked last, and what went wrong
  check    have the running server check the maker now, and wait for the outcome; exit code 0 when all is in order

A server that follows a maker (\`oriel server run DIR --updates https://...\`) checks every hour by itself, and tells its
cameras when there is something new. Whatever the maker's server answers, cameras are given the last whole edition.

Examples:
  oriel server updates ./house
  oriel server updates ./house check`,
    )
    .action(
      async (
        directory: string,
        verb: 'status' | 'check',
        { json, wait }: { readonly json?: true; readonly wait: number },
      ) => {
        const { checkUpdates, showUpdates } = await import('../../server/updates/show-updates.ts');
        const { updatesResult } = await import('./updates-text.ts');
        const updates =
          verb === 'check' ? await checkUpdates(directory, wait * 1000) : await showUpdates(directory);
        const said = updatesResult(updates, Date.now());
        console.log(json ? jsonLine(said.json) : said.text);
        if (!said.inOrder) process.exitCode = verb === 'check' ? EXIT.failure : EXIT.ok;
      },
    );
}

function parseWait(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,5}$/.test(text) || seconds < 1) throw new InvalidArgumentError('1 to 99999 seconds.');
  return seconds;
}
