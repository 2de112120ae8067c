import { join } from 'node:path';
import { readFileBounded } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { type Offer, readOffer } from '../../ota/releases.ts';
import { METADATA_DIRECTORY } from '../../ota/repository.ts';
import { readSnapshot, readTargets, readTimestamp } from '../../ota/tuf-metadata.ts';

/** One edition of a repository's metadata, in the bytes in which it is served. */
export interface Edition {
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  readonly targets: Uint8Array;
  readonly versions: { readonly timestamp: number; readonly snapshot: number; readonly targets: number };
  /** When the timestamp ends, ISO 8601. */
  readonly expires: string;
  readonly offer: Offer;
}

const MAX_METADATA_BYTES = 1024 * 1024;

/** What ota/metadata.ts has accepted last. Its documents have been judged. */
export function readTrusted(disk: Disk, directory: string): Promise<Edition | undefined> {
  const named = (role: string) => () => `${role}.json`;
  return readEdition(disk, directory, { snapshot: named('snapshot'), targets: named('targets') });
}

/** What cameras are given; undefined before the first edition, and where it cannot be read. */
export async function readPublished(disk: Disk, repository: string): Promise<Edition | undefined> {
  const numbered = (role: string) => (version: number) => `${version}.${role}.json`;
  const edition = readEdition(disk, join(repository, METADATA_DIRECTORY), {
    snapshot: numbered('snapshot'),
    targets: numbered('targets'),
  });
  return edition.catch((error) => {
    if (error instanceof HostError) throw error;
    return undefined;
  });
}

interface Names {
  readonly snapshot: (version: number) => string;
  readonly targets: (version: number) => string;
}

async function readEdition(disk: Disk, directory: string, names: Names): Promise<Edition | undefined> {
  const read = (name: string) => readFileBounded(disk, join(directory, name), MAX_METADATA_BYTES);
  const timestamp = await read('timestamp.json');
  if (timestamp === undefined) return undefined;
  const { version, expires, snapshotMeta } = readTimestamp(timestamp).signed;
  const snapshot = await read(names.snapshot(snapshotMeta.version));
  if (snapshot === undefined) return undefined;
  const targetsVersion = readSnapshot(snapshot).signed.meta['targets.json']?.version ?? 0;
  const targets = await read(names.targets(targetsVersion));
  if (targets === undefined) return undefined;
  return {
    timestamp,
    snapshot,
    targets,
    versions: { timestamp: version, snapshot: snapshotMeta.version, targets: targetsVersion },
    expires,
    offer: readOffer(readTargets(targets).signed),
  };
}
