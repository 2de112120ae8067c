import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseSlotState, type SlotName, type SlotState } from '../../ota/slot-state.ts';
import { releaseIn } from '../../ota/slot-transitions.ts';
import { type BundleTrust, verifyBundle } from '../../ota/verify-bundle.ts';
import { versionOf } from './little-release.ts';
import { type KillPoint, type Ran, runWatched, type Said } from './processes.ts';
import type { Volume } from './volume.ts';

/** A camera whose whole state lies on a volume: it runs release 2, has release 1 beside it, and is to run release 3. */
export const OLD = 2;
export const NEW = 3;
/** Where the old one lies. */
const OLD_SLOT = 'b';

export interface CameraParts {
  readonly trust: BundleTrust;
  /** Where Oriel's sources lie: the real ones, or broken ones. */
  readonly root: string;
  /** Of the server that has the repository. */
  readonly port: number;
}

const installationOf = (volume: Volume) => join(volume.path, 'installation');
const cameraOf = (volume: Volume) => join(volume.path, 'camera');

/** What has to hold at any moment: what the state names lies there, whole and signed. @returns what does not. */
export async function faultsOf(volume: Volume, { trust }: CameraParts): Promise<string[]> {
  const state = stateOf(volume);
  if (state === undefined) return ['the state cannot be read'];
  const faults: string[] = [];
  for (const slot of ['a', 'b'] as const) {
    const named = releaseIn(state, slot);
    if (named === null) continue;
    const found = await versionIn(volume, slot, trust);
    if (found !== named.version) faults.push(`slot ${slot} is to hold ${named.version} and has ${found}`);
  }
  return faults;
}

/** Whether the new release runs for good, the old one lies beside it, and nothing had to be recovered. */
function faultsOfEnd(volume: Volume): string[] {
  const { release, spare, trial, outcomes = [] } = stateOf(volume) ?? {};
  const events = outcomes.map(({ event }) => event);
  const found = [release?.version, spare?.version, trial, ...events];
  const isRight = isDeepStrictEqual(found, [versionOf(NEW), versionOf(OLD), null, 'confirmed']);
  return isRight ? [] : [`it ended with ${JSON.stringify(found)}`];
}

/** Runs the launcher until the new release is confirmed, or it is killed, or something goes wrong. */
export async function runLauncher(
  volume: Volume,
  { root, trust }: CameraParts,
  point?: KillPoint,
  under?: readonly string[],
): Promise<Ran & { readonly faults: string[]; readonly booted: string | undefined }> {
  const faults: string[] = [];
  const looks: Promise<void>[] = [];
  let booted: string | undefined;
  const onLine = (said: Said, stop: () => void) => {
    if (said.msg === STARTING) {
      booted ??= said.version;
      looks.push(
        versionIn(volume, said.slot === 'a' ? 'a' : 'b', trust).then((found) => {
          if (found !== said.version) faults.push(`${said.version} was started, and its slot has ${found}`);
        }),
      );
    }
    if (isOver(said)) stop();
  };
  const program = [join(root, 'cli/main.ts'), 'launcher', 'run', installationOf(volume), cameraOf(volume)];
  const ran = await runWatched([...program, '--log-level', 'info'], {
    below: volume.path,
    point,
    under,
    onLine,
  });
  await Promise.all(looks);
  return { ...ran, faults, booted };
}

const STARTING = 'starting this slot';
const PROVED = 'the release has proved itself';
/** After which there is nothing more to wait for. */
const FAILURES: readonly string[] = [
  'no slot holds a release that is whole: nothing runs; flash this camera again',
  'what was fetched is not put on trial',
  'the release on trial failed',
  'the release does not say what it captures',
];

function isOver({ msg = '', version, phase }: Said): boolean {
  if (msg === PROVED || FAILURES.includes(msg)) return true;
  if (msg !== STARTING || version === versionOf(OLD)) return false;
  return version !== versionOf(NEW) || phase === 'steady';
}

/** What is wrong with a camera that is started again, with a bundle that lies ready, and left until it is updated. */
export async function faultsOfNextLife(volume: Volume, parts: CameraParts): Promise<string[]> {
  const before = await faultsOf(volume, parts);
  const { booted, killed, code, faults, lines } = await runLauncher(volume, parts);
  if (booted === undefined) faults.push('it started nothing');
  if (killed || code !== 0) faults.push(`the launcher ended with ${code}: ${lines.slice(-3).join(' / ')}`);
  return [...before, ...faults, ...(await faultsOf(volume, parts)), ...faultsOfEnd(volume)];
}

/** Has the updater look, which brings the new release. */
export function runUpdater(
  volume: Volume,
  { root, port }: CameraParts,
  point?: KillPoint,
  under?: readonly string[],
): Promise<Ran> {
  const program = join(root, 'test/crash/updater-process.ts');
  return runWatched([program, installationOf(volume), OLD_SLOT, cameraOf(volume), String(port)], {
    below: volume.path,
    point,
    under,
  });
}

/** The same of a camera whose updater is started again. @param wanted digest of what it is to bring. */
export async function faultsOfNextLook(
  volume: Volume,
  parts: CameraParts,
  wanted: string,
): Promise<string[]> {
  const before = await faultsOf(volume, parts);
  let ran = await runUpdater(volume, parts);
  for (let tries = 1; ran.code !== 0 && tries < MAX_LOOKS; tries += 1) ran = await runUpdater(volume, parts);
  const faults = readdirSync(join(cameraOf(volume), 'updates/scratch')).map(
    (name) => `${name} is left for good`,
  );
  if (ran.code !== 0 || digestOf(broughtTo(volume)) !== wanted) {
    faults.push(`it brings nothing, or something else: ${ran.lines.join(' / ')}`);
  }
  return [...before, ...faults];
}

/** What was fetched may turn out wrong once, and is then fetched anew; and a connection may break. */
const MAX_LOOKS = 4;

/** What the launcher takes from there. */
export const broughtTo = (volume: Volume): string => join(cameraOf(volume), 'updates/incoming');

/** SHA-256 over names, modes and contents below a directory. */
export function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    const stats = statSync(path);
    hash.update(JSON.stringify([name, stats.mode, stats.isFile() ? stats.size : 0]));
    if (stats.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

/** Undefined when it cannot be read. */
function stateOf(volume: Volume): SlotState | undefined {
  try {
    return parseSlotState(readFileSync(join(installationOf(volume), 'state.json')));
  } catch {
    return undefined;
  }
}

async function versionIn(volume: Volume, slot: SlotName, trust: BundleTrust): Promise<string> {
  try {
    return (await verifyBundle(join(installationOf(volume), slot), trust)).bundle.version;
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}
