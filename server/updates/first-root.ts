import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { TransferEffects } from '../../ota/transfer.ts';
import { ServerError } from '../errors.ts';
import type { MirrorPlaces } from './layout.ts';
import { fetchRoot, MAX_ROOT_BYTES, parseRoot } from './root-chain.ts';
import type { MirrorState } from './state.ts';

/**
 * Which root a household begins with: the one it was given, that of the installation that the program runs from, or else,
 * the first time, the one that the maker's server shows. It is kept, and no other is believed from then on.
 *
 * A false first root costs updates and nothing more: cameras judge by the root that they were flashed with.
 */
export interface FirstRoot {
  readonly bytes: Uint8Array;
  readonly from: NonNullable<MirrorState['root']>['first'];
  /** Whether it was kept by an earlier check. */
  readonly kept: boolean;
}

/** Reads `--updates-root`. @throws ServerError UPDATES_ROOT_REFUSED; HostError. */
export async function readGivenRoot(disk: Disk, path: string): Promise<Uint8Array> {
  const bytes = await readFileBounded(disk, path, MAX_ROOT_BYTES);
  if (bytes === undefined) {
    throw new ServerError(
      'UPDATES_ROOT_REFUSED',
      `--updates-root: ${path} is missing or too long for a root; give root.json of the maker's kit`,
    );
  }
  try {
    parseRoot(bytes);
  } catch (cause) {
    throw new ServerError(
      'UPDATES_ROOT_REFUSED',
      `--updates-root: ${path} is no root that its own keys have signed; give root.json of the maker's kit`,
      cause,
    );
  }
  return bytes;
}

/** @throws OtaError FETCH_*, METADATA_*; HostError. */
export async function findFirstRoot(
  disk: Disk,
  places: MirrorPlaces,
  given: Uint8Array | undefined,
  installation: string | undefined,
  before: MirrorState['root'],
  effects: TransferEffects,
): Promise<FirstRoot> {
  const kept = await readFileBounded(disk, places.root, MAX_ROOT_BYTES);
  if (kept !== undefined) return { bytes: kept, from: before?.first ?? 'given', kept: true };
  if (given !== undefined) return { bytes: given, from: 'given', kept: false };
  const built = installation && (await readFileBounded(disk, installation, MAX_ROOT_BYTES));
  if (built) return { bytes: built, from: 'installation', kept: false };
  const shown = await fetchRoot(effects, 1);
  parseRoot(shown);
  return { bytes: shown, from: 'first use', kept: false };
}

/** Keeps it, for good. @throws HostError. */
export function keepFirstRoot(disk: Disk, { root }: MirrorPlaces, { bytes }: FirstRoot): Promise<void> {
  return writeFileAtomic(disk, root, bytes, 0o600);
}
