import * as v from 'valibot';
import { fromUtf8, utf8 } from '../../crypto/bytes.ts';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import type { Mirrored } from './mirror.ts';

/** How a mirror is: `mirror/state.json`, written by the server, read by commands. Times are ISO 8601, UTC. */

const Time = v.nullable(v.string());
const Release = v.object({
  version: v.string(),
  hardware: v.array(v.string()),
  percentage: v.number(),
  halt: v.boolean(),
});

const MirrorState = v.object({
  format: v.literal('oriel-mirror-1'),
  /** The maker's address. */
  from: v.string(),
  /** The newest root, and where the first one came from. */
  root: v.nullable(
    v.object({
      version: v.number(),
      keys: v.array(v.string()),
      first: v.picklist(['given', 'installation', 'first use']),
    }),
  ),
  /** The last check that began, and the last that found all in order. */
  checkedAt: Time,
  followedAt: Time,
  nextCheckAt: Time,
  /** What cameras are given. */
  edition: v.nullable(
    v.object({
      targets: v.number(),
      timestamp: v.number(),
      /** When the maker signed the targets. */
      issuedAt: Time,
      /** When the timestamp ends. */
      expiresAt: v.string(),
      releases: v.array(Release),
      /** Of releases that this version cannot read, and does not mirror. */
      unreadable: v.number(),
      bytes: v.number(),
      /** Paths of deltas that came and were wrong: cameras take the whole files. */
      refusedDeltas: v.optional(v.array(v.string()), []),
    }),
  ),
  /** Why the last checks came to nothing. */
  failure: v.nullable(
    v.object({ code: v.string(), message: v.string(), since: v.string(), times: v.number() }),
  ),
  /** Version of the targets that the cameras were last told of. */
  announced: v.nullable(v.number()),
  /** The check asked for that was done last. */
  answered: v.nullable(v.string()),
});
export type MirrorState = v.InferOutput<typeof MirrorState>;

const MAX_STATE_BYTES = 1024 * 1024;

export const newState = (from: string): MirrorState => ({
  format: 'oriel-mirror-1',
  from,
  root: null,
  checkedAt: null,
  followedAt: null,
  nextCheckAt: null,
  edition: null,
  failure: null,
  announced: null,
  answered: null,
});

/** Undefined when there is none that can be read. @throws HostError. */
export async function readState(disk: Disk, path: string): Promise<MirrorState | undefined> {
  const bytes = await readFileBounded(disk, path, MAX_STATE_BYTES);
  if (bytes === undefined) return undefined;
  try {
    return v.parse(MirrorState, JSON.parse(fromUtf8(bytes)));
  } catch {
    return undefined;
  }
}

/** @throws HostError. */
export async function writeState(disk: Disk, path: string, state: MirrorState): Promise<void> {
  await writeFileAtomic(disk, path, utf8(`${JSON.stringify(state, undefined, 2)}\n`), 0o600);
}

/** What is shown of an edition. */
export function editionView({
  edition,
  heldBytes,
  refusedDeltas,
}: Mirrored): NonNullable<MirrorState['edition']> {
  const { versions, offer, expires } = edition;
  return {
    targets: versions.targets,
    timestamp: versions.timestamp,
    issuedAt: offer.issuedMs === undefined ? null : new Date(offer.issuedMs).toISOString(),
    expiresAt: expires,
    releases: offer.releases.map(({ version, hardware, percentage, halt }) => ({
      version,
      hardware,
      percentage,
      halt,
    })),
    unreadable: offer.unreadable.length,
    bytes: heldBytes,
    refusedDeltas: [...refusedDeltas],
  };
}
