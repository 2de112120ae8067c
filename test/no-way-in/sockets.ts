import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** TCP_LISTEN in the kernel's tcp_states.h, as /proc/net/tcp prints it. */
const TCP_LISTEN = '0A';
/** SO_ACCEPTCON, the flag of a listening Unix socket in /proc/net/unix. */
const ACCEPTS = 0x10000;

/**
 * Sockets of a process at which somebody else could arrive: listening TCP and Unix sockets, UDP and raw sockets, by
 * the kernel's own tables (proc_net(5)). Each as `protocol local-address`.
 */
export function doorsOf(pid: number): string[] {
  const own = socketInodes(pid);
  const table = (name: string) => {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${name}`, 'latin1').trim().split('\n');
    return lines.map((line) => line.trim().split(/\s+/));
  };
  const internet = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'].flatMap((name) =>
    table(name)
      .filter((fields) => own.has(fields[9] ?? ''))
      .filter((fields) => !name.startsWith('tcp') || fields[3] === TCP_LISTEN)
      .map((fields) => `${name} ${fields[1]}`),
  );
  const unix = table('unix')
    .filter((fields) => own.has(fields[6] ?? '') && (Number.parseInt(fields[3] ?? '', 16) & ACCEPTS) !== 0)
    .map((fields) => `unix ${fields[7] ?? ''}`);
  return [...internet, ...unix];
}

function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // It was closed while we looked.
    }
  }
  return inodes;
}
