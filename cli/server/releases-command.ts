import { Command } from 'commander';
import { jsonLine } from '../../text/printable.ts';
import { jsonOption, serverDirectory } from '../options.ts';

const SHOWN = 3;

/** `oriel server fleet`: who runs what. */
export function fleetCommand(): Command {
  return new Command('fleet')
    .description('show which release each camera runs, and which went back, and why')
    .addArgument(serverDirectory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A camera that updates itself signs what became of each release and sends it here (docs/design/slots.md). The server keeps the
newest 100 of each camera, and cannot change one unseen; with --json every one is shown.

Examples:
  oriel server fleet ./house
  oriel server fleet ./house --json | jq '.cameras[] | select(.reports[0].event == "returned")'`,
    )
    .action(async (directory: string, { json }: { readonly json?: true }) => {
      const { withRegistry } = await import('./registry.ts');
      const { releasesOf } = await import('../../server/fleet/fleet.ts');
      const { releasesJson, releasesText } = await import('./releases-text.ts');
      const { followedUpdates } = await import('../../server/updates/show-updates.ts');
      const { headLine } = await import('./updates-text.ts');
      const updates = await followedUpdates(directory);
      const fleet = await withRegistry(directory, async (registry) =>
        releasesOf(await registry.cameras(), await registry.health.all(), await registry.reports.all()),
      );
      if (json) {
        console.log(jsonLine({ updates: updates ?? null, cameras: releasesJson(fleet) }));
        return;
      }
      if (updates !== undefined) console.log(headLine(updates, Date.now()));
      console.log(releasesText(fleet, SHOWN).join('\n'));
    });
}
