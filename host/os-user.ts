import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { HostError } from './errors.ts';

/** Whom a process runs as. */
export interface OsUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** Capabilities by their number in capabilities(7). */
export const CAPABILITY = { setgid: 6, setuid: 7, setpcap: 8 } as const;

/**
 * An OS user by its user's name, with the groups that the machine lists for it, or as `UID:GID` without further groups.
 * Root is none: who runs as this user is to have less than the launcher.
 * @throws HostError ACCOUNT_UNKNOWN
 */
export function findOsUser(name: string): OsUser {
  const numbers = /^(\d{1,9}):(\d{1,9})$/.exec(name);
  const user = numbers ? { uid: Number(numbers[1]), gid: Number(numbers[2]), groups: [] } : lookUp(name);
  if (user.uid === 0 || user.gid === 0) {
    throw new HostError('ACCOUNT_UNKNOWN', `${name} is root, who may do everything; name another user`);
  }
  return user;
}

function lookUp(name: string): OsUser {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(name)) {
    throw new HostError('ACCOUNT_UNKNOWN', 'give a user by name, or as UID:GID');
  }
  try {
    const ids = (option: string) =>
      execFileSync('id', [option, '--', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return {
      uid: Number(ids('-u')),
      gid: Number(ids('-g')),
      groups: ids('-G').trim().split(' ').map(Number),
    };
  } catch (cause) {
    throw new HostError('ACCOUNT_UNKNOWN', `this machine has no user ${name}`, cause);
  }
}

/** Whether this process has the capability now (CapEff in proc_pid_status(5)). */
export function hasCapability(capability: number): boolean {
  const [, mask = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(capability)) & 1n) === 1n;
}
