import type { RepositoryStatus } from '../../ota/release/repository-status.ts';
import type { Rollout } from '../../ota/rollout.ts';

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
