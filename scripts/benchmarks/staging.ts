import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { FILES_DIRECTORY, MANIFEST_FILE, SIGNATURES_FILE, sizeOf } from '../../ota/bundle.ts';
import { fetchedBundle, wholeBundle } from '../../ota/bundle-source.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, parseAnchor } from '../../ota/key-list.ts';
import { Slots } from '../../ota/slots.ts';
import { type MadeRelease, Maker } from '../release/maker.ts';
import type { Bench } from './bench.ts';
import { type Measurement, median } from './measurement.ts';

const ROUNDS = 5;
const DOCUMENTS = [MANIFEST_FILE, SIGNATURES_FILE, KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE];

/** What the launcher does with a whole bundle that an agent has fetched, against copying and hashing it. */
export async function staging({ scratch, quick, say }: Bench): Promise<Measurement[]> {
  const directory = join(scratch, 'staging');
  mkdirSync(directory);
  say('building two releases');
  const maker = await Maker.open(join(directory, 'maker'), join(directory, 'repository'));
  const first = await maker.build();
  const next = await maker.withOtherRuntime(first);
  const incoming = join(directory, 'incoming');
  fillIncoming(incoming, next);
  const seconds = { changed: [] as number[], all: [] as number[], verify: [] as number[] };
  const peer = { copy: [] as number[], hash: [] as number[] };
  for (let round = 1; round <= (quick ? 2 : ROUNDS); round++) {
    say(`staging, round ${round}`);
    for (const from of ['changed', 'all'] as const) {
      const slots = await install(join(directory, 'installation'), maker, first);
      // Without it the running slot offers nothing, and all comes from the agent.
      if (from === 'all') rmSync(join(slots.directoryOf('a'), MANIFEST_FILE));
      seconds[from].push(await timed(() => slots.stage(fetchedBundle(incoming, []), true)));
      seconds.verify.push(await timed(() => slots.verify('b')));
    }
    const copy = join(directory, 'copy');
    rmSync(copy, { recursive: true, force: true });
    peer.copy.push(
      await timed(() => shell(`cp -R "$1" "$2" && find "$2" -exec sync {} + && ${HASH}`, next, copy)),
    );
    peer.hash.push(await timed(() => shell(HASH, next, copy)));
  }
  const mib = sizeOf(next.bundle) / 2 ** 20;
  const copied = { what: 'cp, sync of each file, openssl dgst -sha256', value: median(peer.copy) };
  const hashed = { what: 'openssl dgst -sha256', value: median(peer.hash) };
  return [
    {
      name: 'staging-changed',
      what: `staging ${mib.toFixed(0)} MiB with another runtime, the rest from the running slot`,
      unit: 's',
      value: median(seconds.changed),
      peer: copied,
      budget: { of: 'ratio', bound: 'at most', limit: 1.5 },
    },
    {
      name: 'staging-all',
      what: `  all ${next.bundle.files.length} files from the agent`,
      unit: 's',
      value: median(seconds.all),
      peer: copied,
    },
    {
      name: 'staging-verify',
      what: 'looking a slot over before each start',
      unit: 's',
      value: median(seconds.verify),
      peer: hashed,
      budget: { of: 'ratio', bound: 'at most', limit: 2 },
    },
  ];
}

const HASH = 'find "$2" -type f -exec openssl dgst -sha256 {} + >/dev/null';

function shell(script: string, { directory }: MadeRelease, copy: string): void {
  execFileSync('sh', ['-c', script, 'sh', join(directory, FILES_DIRECTORY), copy]);
}

/** As an agent leaves it: the documents, and each content under its hash. */
function fillIncoming(incoming: string, { directory, bundle }: MadeRelease): void {
  mkdirSync(join(incoming, FILES_DIRECTORY), { recursive: true });
  for (const name of DOCUMENTS) copyFileSync(join(directory, name), join(incoming, name));
  for (const { path, sha256 } of bundle.files) {
    copyFileSync(join(directory, FILES_DIRECTORY, path), join(incoming, FILES_DIRECTORY, sha256));
  }
}

async function install(directory: string, { anchor }: Maker, first: MadeRelease): Promise<Slots> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const { keys, threshold, product } = parseAnchor(readFileSync(anchor));
  const hardware = first.bundle.hardware[0] ?? '';
  const trust = { root: { keys, threshold }, product, hardware };
  return Slots.install({ disk: systemDisk, directory, trust }, wholeBundle(first.directory));
}

async function timed(act: () => unknown): Promise<number> {
  const begun = performance.now();
  await act();
  return (performance.now() - begun) / 1000;
}
