import { systemDisk } from '../../host/disk.ts';
import { countSignatures, type SignatureCount } from '../pending.ts';
import { listReleases } from '../releases.ts';
import { type Repository, readInForce } from '../repository.ts';
import type { Rollout } from '../rollout.ts';

export interface RepositoryStatus {
  readonly root: { readonly version: number; readonly expires: string };
  readonly targets: { readonly version: number; readonly expires: string } | undefined;
  readonly timestamp: { readonly version: number; readonly expires: string | undefined };
  readonly releases: readonly Rollout[];
  readonly pending: readonly SignatureCount[];
}

export async function statusOf(directory: string): Promise<RepositoryStatus> {
  const repository: Repository = { disk: systemDisk, directory };
  const { root, targets, timestampVersion, timestampExpires } = await readInForce(repository);
  const releases = targets === undefined ? [] : listReleases(targets.signed.targets).releases;
  return {
    root: { version: root.signed.version, expires: root.signed.expires },
    targets: targets && { version: targets.signed.version, expires: targets.signed.expires },
    timestamp: { version: timestampVersion, expires: timestampExpires },
    releases: releases
      .map(({ documents: _documents, directory: _directory, ...rollout }) => rollout)
      .sort((a, b) => b.counter - a.counter),
    pending: await countSignatures(repository),
  };
}
