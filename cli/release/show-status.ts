import { systemDisk } from '../../host/disk.ts';
import { countSignatures, type SignatureCount } from '../../ota/pending.ts';
import { listReleases } from '../../ota/releases.ts';
import { type Repository, readInForce } from '../../ota/repository.ts';
import type { Rollout } from '../../ota/rollout.ts';

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

export function statusText({ root, targets, timestamp, releases, pending }: RepositoryStatus): string[] {
  return [
    `root         ${root.version}, until ${root.expires}`,
    targets === undefined
      ? 'targets      none yet'
      : `targets      ${targets.version}, until ${targets.expires}`,
    ...(timestamp.expires === undefined
      ? []
      : [`timestamp    ${timestamp.version}, until ${timestamp.expires}`]),
    ...releases.map(releaseLine),
    ...pending.map(
      ({ document, present, needed }) => `pending      ${document}: ${present} of ${needed} signatures`,
    ),
  ];
}

function releaseLine({
  version,
  counter,
  hardware,
  percentage,
  halt,
  severity,
  advisories,
}: Rollout): string {
  const share = halt ? `halted at ${percentage}%` : `${percentage}%`;
  const mends = severity === 'none' ? '' : `  mends ${[severity, ...advisories].join(' ')}`;
  return `release      ${version} (${counter})  ${hardware.join(', ')}  ${share}${mends}`;
}
