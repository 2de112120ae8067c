import type { DirectoryUpdates, Updates } from '../../server/updates/show-updates.ts';
import type { MirrorState } from '../../server/updates/state.ts';
import { printable } from '../../text/printable.ts';
import { duration, minute, size } from '../../text/quantities.ts';

/** What cameras are given, as people read it. Pure. */

type Releases = NonNullable<MirrorState['edition']>['releases'];

export interface UpdatesResult {
  readonly json: object;
  readonly text: string;
  /** Whether the last check found all in order; true for a directory. */
  readonly inOrder: boolean;
}

export function updatesResult(updates: Updates, nowMs: number): UpdatesResult {
  if (updates.kind === 'directory')
    return { json: updates, text: directoryText(updates, nowMs).join('\n'), inOrder: true };
  const { state } = updates;
  return {
    json: { kind: 'mirror', ...state },
    text: mirrorText(state, nowMs).join('\n'),
    inOrder: inOrder(state),
  };
}

const inOrder = ({ failure, edition }: MirrorState) => failure === null && edition !== null;

export function mirrorText(state: MirrorState, nowMs: number): string[] {
  const { from, followedAt, nextCheckAt, failure, edition, root } = state;
  const ago = (at: string) => `${duration(nowMs - Date.parse(at))} ago`;
  return [
    `updates of ${from}`,
    `  in order   ${followedAt === null ? 'never yet' : ago(followedAt)}`,
    ...(nextCheckAt === null ? [] : [`  next check ${minute(Date.parse(nextCheckAt))}`]),
    ...(failure === null
      ? []
      : [
          `  NOT FOLLOWED for ${duration(nowMs - Date.parse(failure.since))}, ${failure.times} checks: [${failure.code}]`,
          `    ${printable(failure.message)}`,
        ]),
    ...(root === null ? [] : [`  root       version ${root.version}, ${FIRST[root.first]}`]),
    ...(root?.first === 'first use' ? root.keys.map((key) => `    key ${key}`) : []),
    ...(edition === null
      ? ['  cameras are given nothing yet']
      : [
          `  metadata   ends ${minute(Date.parse(edition.expiresAt))}`,
          ...releaseLines(edition.releases),
          `  ${size(edition.bytes)} on this disk`,
          ...(edition.refusedDeltas.length > 0
            ? [
                `  ${edition.refusedDeltas.length} deltas are not what the maker signed: cameras take the whole files`,
              ]
            : []),
          ...(edition.unreadable > 0
            ? [`  ${edition.unreadable} releases are of a form that this server cannot read: update it`]
            : []),
        ]),
  ];
}

/** One line, for what shows more beside it. */
export function headLine({ from, followedAt, failure }: MirrorState, nowMs: number): string {
  const age = followedAt === null ? 'never yet' : `${duration(nowMs - Date.parse(followedAt))} ago`;
  const wrong = failure === null ? '' : `, NOT FOLLOWED: ${failure.code} (oriel server updates status)`;
  return `updates of ${from}, in order ${age}${wrong}`;
}

const FIRST: Readonly<Record<NonNullable<MirrorState['root']>['first'], string>> = {
  given: 'given with --updates-root',
  installation: 'of the installation that this server runs from',
  'first use': 'taken from the maker’s server at first use; compare these keys with the maker’s:',
};

function directoryText({ directory, expiresAt, releases }: DirectoryUpdates, nowMs: number): string[] {
  if (releases === null || expiresAt === null) {
    return [
      `no updates: ${directory} holds no repository with a release`,
      'to follow a maker: oriel server run DIR --updates https://...',
    ];
  }
  const end = Date.parse(expiresAt);
  return [
    `updates of the directory ${directory}`,
    `  metadata   ${end > nowMs ? 'ends' : 'ENDED'} ${minute(end)}`,
    ...releaseLines(releases),
  ];
}

function releaseLines(releases: Releases): string[] {
  return releases.map(({ version, hardware, percentage, halt }) => {
    const share = halt ? 'halted' : `for ${percentage}% of the cameras`;
    return `  ${printable(version)}  ${hardware.map(printable).join(', ')}  ${share}`;
  });
}
