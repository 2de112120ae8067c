import { Command } from 'commander';
import { publicOption, repeated } from '../options.ts';
import {
  parsePercentage,
  print,
  readSigners,
  type SigningOptions,
  severityOption,
  withSigning,
} from './options.ts';

interface PublishOptions extends SigningOptions {
  readonly public?: string;
  readonly percentage: number;
  readonly minimum?: string;
  readonly severity: string;
  readonly advisory?: string[];
  readonly previous?: string;
  readonly level?: string;
}

const SIGNING_HELP = `
With --key as often as signatures are needed and --online it is in force at once. Without, it is left pending in the
repository: sign it where the keys are (oriel release sign REPOSITORY --key KEY), then
oriel release finish REPOSITORY --online KEY.`;

export function publishCommand(): Command {
  const command = new Command('publish')
    .description('put a signed bundle into a repository, for a share of the cameras')
    .argument('<repository>', 'directory of static files; made if it is not there')
    .argument('<bundle>', 'signed bundle')
    .addOption(publicOption().makeOptionMandatory())
    .option('--percentage <n>', 'share of the cameras that are to have it', parsePercentage, 1)
    .option('--minimum <version>', 'once it has proved itself, nothing older runs there (default: no change)')
    .addOption(severityOption())
    .option('--advisory <id>', 'advisory that it fixes, such as CVE-2026-1234; may be repeated', repeated)
    .option('--previous <bundle>', 'bundle that cameras run now: code is sent as what changed in it')
    .option('--level <n>', 'zstd level, 1 to 22', '19')
    .addHelpText(
      'after',
      `${SIGNING_HELP}

Example:
  oriel release publish ./repository ./bundle --public ./keys/public --percentage 1`,
    );
  return withSigning(command).action(async (repository: string, bundle: string, options: PublishOptions) => {
    const { publishBundle } = await import('../../ota/release/repository-changes.ts');
    const request = { ...options, signing: await signingOf(options), say: console.error };
    print(await publishBundle(repository, bundle, request));
  });
}

export function promoteCommand(): Command {
  const command = new Command('promote')
    .description('give a release to a larger share of the cameras')
    .argument('<repository>', 'directory of the repository')
    .argument('<version>', 'version of the release')
    .requiredOption('--percentage <n>', 'share of the cameras: those that are in stay in', parsePercentage)
    .addHelpText(
      'after',
      `${SIGNING_HELP}

Example:
  oriel release promote ./repository 1.2.0 --percentage 100`,
    );
  return withSigning(command).action(
    async (repository: string, version: string, options: SigningOptions & { percentage: number }) => {
      const { promote } = await import('../../ota/release/repository-changes.ts');
      print(await promote(repository, version, options.percentage, await signingOf(options)));
    },
  );
}

export function haltCommand(): Command {
  const command = new Command('halt')
    .description('stop a release: no camera begins to install it any more')
    .argument('<repository>', 'directory of the repository')
    .argument('<version>', 'version of the release')
    .option('--resume', 'go on with it')
    .addHelpText(
      'after',
      `
Cameras that run it keep it; a release that is to replace it has a higher version.
${SIGNING_HELP}

Example:
  oriel release halt ./repository 1.2.0`,
    );
  return withSigning(command).action(
    async (repository: string, version: string, options: SigningOptions & { resume?: true }) => {
      const { halt } = await import('../../ota/release/repository-changes.ts');
      print(await halt(repository, version, options.resume !== true, await signingOf(options)));
    },
  );
}

async function signingOf({ key = [], online, passphraseFile }: SigningOptions) {
  const [onlineSigner] = await readSigners(online === undefined ? [] : [online], passphraseFile);
  return { release: await readSigners(key, passphraseFile), online: onlineSigner };
}
