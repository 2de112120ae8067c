import type { OsUser } from './os-user.ts';

/** What a process and all its children are held to. */
export interface Sandbox {
  /** Runs as this user, without any capability and without a way to gain one. */
  readonly user: OsUser;
  /** `none`: in a network namespace of its own, which holds nothing, not even a loopback that is up. */
  readonly network: 'shared' | 'none';
  /** Whether the launcher may empty the bounding set (CAP_SETPCAP); without it, no-new-privs alone has to do. */
  readonly emptyBoundingSet: boolean;
}

/**
 * The command that runs another in a sandbox: programs of util-linux, each of which does one thing and then
 * becomes the next.
 *
 * A user namespace needs no privilege, so the network is given up after the user has been taken on: the launcher
 * needs no CAP_SYS_ADMIN. In it the process has no capability either, its user not being root there.
 */
export function sandboxed({ user, network, emptyBoundingSet }: Sandbox): string[] {
  const { uid, gid, groups } = user;
  return [
    ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`],
    groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`,
    ...['--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all'],
    ...(emptyBoundingSet ? ['--bounding-set=-all'] : []),
    '--',
    ...(network === 'none' ? ['unshare', '--user', '--map-current-user', '--net', '--'] : []),
    ...['prlimit', '--core=0:0', '--'],
  ];
}
