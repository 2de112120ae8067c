import { join } from 'node:path';
import type { Metadata, Root, Targets } from '@tufjs/models';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { OtaError } from './errors.ts';
import { PENDING_ROOT, PENDING_TARGETS, type Pending, readPending } from './pending.ts';
import {
  checkRoot,
  editionOf,
  FILE_MODE,
  type InForce,
  METADATA_DIRECTORY,
  PENDING_DIRECTORY,
  type Repository,
  readInForce,
  requireDelegate,
} from './repository.ts';
import { makeSnapshot, makeTimestamp, type Signer, signMetadata, writeMetadata } from './tuf-metadata.ts';

/** Puts an edition of a repository into force: what is pending, and the metadata that is renewed with it. */

/** What finishing came to. */
export interface Finished extends InForce {
  /** Why something that is pending is so still; undefined when nothing is. */
  readonly refusal: OtaError | undefined;
}

/**
 * Puts into force what is pending and signed, and renews what is in force. What is pending and not ready (its signatures
 * are missing, or it follows another edition) stays pending, and holds up no renewal.
 * @param online the key of snapshot and timestamp.
 * @throws OtaError METADATA_UNSIGNED when there is nothing to renew either; METADATA_MALFORMED; HostError.
 */
export async function finish(repository: Repository, online: Signer, nowMs: number): Promise<Finished> {
  const current = await readInForce(repository);
  const { files, done, refusal } = await prepare(repository, current, { online, nowMs });
  for (const { name, bytes } of files) {
    const path = join(repository.directory, METADATA_DIRECTORY, name);
    await writeFileAtomic(repository.disk, path, bytes, FILE_MODE);
  }
  for (const name of done) await repository.disk.unlink(join(repository.directory, PENDING_DIRECTORY, name));
  return { ...(await readInForce(repository)), refusal };
}

interface Renewal {
  readonly online: Signer;
  readonly nowMs: number;
}

interface MetadataFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The files of the next edition, with as much of what is pending as is ready, and what is pending no more then. */
async function prepare(
  repository: Repository,
  current: InForce,
  renewal: Renewal,
): Promise<{ files: MetadataFile[]; done: string[]; refusal: OtaError | undefined }> {
  const read = await readPending(repository).catch((cause: unknown) => {
    if (cause instanceof OtaError) return cause;
    throw cause;
  });
  if (read instanceof OtaError) {
    return { files: filesOf(current, NOTHING, renewal), done: [], refusal: read };
  }
  const pending = withoutInForce(read, current);
  const { root, targets } = pending;
  let refusal: OtaError | undefined;
  for (const choice of [pending, { ...NOTHING, targets }, { ...NOTHING, root }, NOTHING]) {
    try {
      const files = filesOf(current, choice, renewal);
      const done = [
        ...(choice.root === root ? [PENDING_ROOT] : []),
        ...(choice.targets === targets ? [PENDING_TARGETS] : []),
      ];
      return { files, done, refusal };
    } catch (error) {
      if (!(error instanceof OtaError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal ?? nothingYet();
}

const nothingYet = () =>
  new OtaError('METADATA_MALFORMED', 'there is nothing to put into force yet: oriel release publish');

const NOTHING: Pending = { root: undefined, targets: undefined };

/**
 * One edition, whole, in the order in which it is written: the timestamp last.
 * @throws OtaError METADATA_UNSIGNED, METADATA_OUTDATED; METADATA_MALFORMED when no targets are there.
 */
function filesOf(current: InForce, pending: Pending, { online, nowMs }: Renewal): MetadataFile[] {
  const root = pending.root === undefined ? current.root : checkRoot(current.root, pending.root);
  const targets = pending.targets ?? current.targets;
  if (targets === undefined) throw nothingYet();
  if (
    pending.targets !== undefined &&
    targets.signed.version !== (current.targets?.signed.version ?? 0) + 1
  ) {
    throw new OtaError(
      'METADATA_OUTDATED',
      'the pending targets follow another edition than the one in force',
    );
  }
  requireDelegate(root, 'targets', targets);
  const targetsBytes = writeMetadata(targets);
  const snapshot = makeSnapshot(editionOf('snapshot', current.snapshotVersion + 1, nowMs), {
    version: targets.signed.version,
    bytes: targetsBytes,
  });
  const snapshotBytes = writeMetadata(signMetadata(snapshot, [online]));
  requireDelegate(root, 'snapshot', snapshot);
  const timestamp = makeTimestamp(editionOf('timestamp', current.timestampVersion + 1, nowMs), {
    version: snapshot.signed.version,
    bytes: snapshotBytes,
  });
  signMetadata(timestamp, [online]);
  requireDelegate(root, 'timestamp', timestamp);
  return [
    ...(pending.root === undefined
      ? []
      : [{ name: `${root.signed.version}.root.json`, bytes: writeMetadata(root) }]),
    { name: `${targets.signed.version}.targets.json`, bytes: targetsBytes },
    { name: `${snapshot.signed.version}.snapshot.json`, bytes: snapshotBytes },
    { name: 'timestamp.json', bytes: writeMetadata(timestamp) },
  ];
}

/** What came into force before a run broke off is pending no more. */
function withoutInForce({ root, targets }: Pending, current: InForce): Pending {
  const same = (a: Metadata<Root | Targets> | undefined, b: Metadata<Root | Targets> | undefined) =>
    a !== undefined && b !== undefined && writeMetadata(a).equals(writeMetadata(b));
  return {
    root: same(root, current.root) ? undefined : root,
    targets: same(targets, current.targets) ? undefined : targets,
  };
}
