import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Updater } from 'tuf-js';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { type MetadataOptions, refreshMetadata, withUpdater } from '../../ota/metadata.ts';
import { TARGETS_BASE } from '../../ota/metadata-fetcher.ts';
import type { HttpGet } from '../../ota/transfer.ts';
import { httpGetFrom } from '../ota/http-get.ts';

/**
 * The command-line protocol of the TUF conformance suite (github.com/theupdateframework/tuf-conformance,
 * CLIENT-CLI.md) around the metadata part that a camera runs. Exit code 0 for success, 1 for anything else.
 * Here, and only here, the machine's clock is the trusted time: the suite turns it with faketime.
 */

const USAGE = `usage: client --metadata-dir DIR init ROOT
       client --metadata-dir DIR --metadata-url URL refresh
       client --metadata-dir DIR --metadata-url URL --target-name NAME [--target-name NAME]...
              --target-base-url URL --target-dir DIR download`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true },
    'target-base-url': { type: 'string' },
    'target-dir': { type: 'string' },
  },
});

function given(option: Exclude<keyof typeof values, 'target-name'>): string {
  const value = values[option];
  if (value === undefined) throw missing(option);
  return value;
}

const missing = (option: string) => new Error(`--${option} is missing\n${USAGE}`);

const slashed = (url: string) => (url.endsWith('/') ? url : `${url}/`);

function optionsFor(directory: string): MetadataOptions {
  const metadata = httpGetFrom(slashed(given('metadata-url')));
  const targets = httpGetFrom(slashed(values['target-base-url'] ?? ''));
  const get: HttpGet = (path, request) => {
    const [place, ...rest] = path.split('/');
    return (place === 'metadata' ? metadata : targets)(rest.join('/'), request);
  };
  return {
    disk: systemDisk,
    clock: systemClock,
    directory,
    shippedRoot: readFileSync(join(directory, 'root.json')),
    scratch: join(directory, 'scratch'),
    trustedTimeMs: Date.now(),
    get,
    signal: new AbortController().signal,
  };
}

async function init(directory: string, root: string): Promise<void> {
  const { writeFileAtomic } = await import('../../host/atomic-file.ts');
  mkdirSync(directory, { recursive: true });
  await writeFileAtomic(systemDisk, join(directory, 'root.json'), readFileSync(root), 0o600);
}

/**
 * The targets in the order given, by one updater: what it took for one must not vouch for the next. One that fails does not keep the
 * next from its turn; metadata that cannot be brought up to date ends all.
 */
async function download(directory: string): Promise<void> {
  const targetDir = given('target-dir');
  const names = values['target-name'] ?? [];
  if (names.length === 0) throw missing('target-name');
  mkdirSync(targetDir, { recursive: true });
  const failures: unknown[] = [];
  await withUpdater(optionsFor(directory), { targetDir, targetBaseUrl: TARGETS_BASE }, async (updater) => {
    await updater.refresh();
    for (const name of names) {
      await downloadOne(updater, name).catch((error: unknown) => failures.push(error));
    }
  });
  if (failures.length > 0) throw failures[0];
}

async function downloadOne(updater: Updater, name: string): Promise<void> {
  const target = await updater.getTargetInfo(name);
  if (target === undefined) throw new Error(`no target ${name}`);
  if ((await updater.findCachedTarget(target)) === undefined) await updater.downloadTarget(target);
}

async function run(): Promise<void> {
  const [command, root] = positionals;
  const directory = given('metadata-dir');
  if (command === 'init' && root !== undefined) return init(directory, root);
  if (command === 'refresh') return void (await refreshMetadata(optionsFor(directory)));
  if (command === 'download') return download(directory);
  throw new Error(USAGE);
}

try {
  await run();
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  console.error(code === undefined ? message : `${message} [${code}]`);
  process.exitCode = 1;
}
