import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { CommandError } from '../errors.ts';
import { hardwareOption, publicOption, repeated } from '../options.ts';

interface BuildOptions {
  readonly arch: string;
  readonly public: string;
  readonly product?: string;
  readonly hardware?: string[];
  readonly counter?: string;
  readonly notes?: string;
}

export function buildCommand(): Command {
  return new Command('build')
    .description('build a release bundle for one architecture, from a checkout of the sources')
    .argument('<bundle>', 'directory to create')
    .addOption(
      new Option('--arch <name>', 'what it is to run on').choices(['x64', 'arm64']).makeOptionMandatory(),
    )
    .addOption(publicOption().makeOptionMandatory())
    .option('--product <name>', 'what the cameras are (default: oriel)')
    .addOption(
      hardwareOption('board that it is for; may be repeated (default: linux-ARCH)').argParser(repeated),
    )
    .option('--counter <n>', 'rises with each release (default: the minute of the release time)')
    .option('--notes <text>', 'what is new, for people')
    .addHelpText(
      'after',
      `
Takes the version, the release time and the end of support from package.json. Holds the pinned Node runtime, the
program, sharp's native parts and sbom.cdx.json (CycloneDX 1.6). Packages for another architecture are fetched with npm
and held to the hashes of package-lock.json.

The same sources and the same package-lock.json give the same bytes: build on two machines, and compare what
oriel release sign prints.

Example:
  oriel release build ./bundle --arch x64 --public ./keys/public`,
    )
    .action((bundle: string, options: BuildOptions) => build(bundle, options));
}

/** In a process of its own: the bundler and the sources are no part of what is shipped. */
function build(bundle: string, options: BuildOptions): void {
  const script = resolve(import.meta.dirname, '../../scripts/build-release.ts');
  if (!existsSync(script)) {
    throw new CommandError('USAGE', 'a release is built from a checkout of the sources, with its ./oriel');
  }
  if (existsSync(bundle)) throw new CommandError('FILE_EXISTS', `${bundle} is there already`);
  const given = Object.entries({
    arch: options.arch,
    keys: options.public,
    product: options.product,
    counter: options.counter,
    notes: options.notes,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  const boards = (options.hardware ?? []).map((board) => `--hardware=${board}`);
  const { status } = spawnSync(process.execPath, [script, bundle, ...given, ...boards], { stdio: 'inherit' });
  if (status !== 0) throw new CommandError('FILE_UNWRITABLE', `${join(bundle)} was not built; see above`);
}
