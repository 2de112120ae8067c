import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A socket that somebody else's packets can arrive at: TCP that listens, UDP that is bound and not connected. */
export interface OpenPort {
  readonly protocol: 'tcp' | 'tcp6' | 'udp' | 'udp6';
  /** As people write it: `127.0.0.1`, `::1`. */
  readonly address: string;
  readonly port: number;
  /** Only this machine reaches it. */
  readonly loopback: boolean;
  readonly inode: string;
}

const PROTOCOLS = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
/** TCP_LISTEN, and TCP_CLOSE, which is what an unconnected UDP socket shows (the kernel's tcp_states.h). */
const OPEN_STATES = { tcp: '0A', tcp6: '0A', udp: '07', udp6: '07' } as const;

/** @param net a directory like /proc/net, or /proc/PID/net for the network that a process is in. */
export function readOpenPorts(net: string): OpenPort[] {
  return PROTOCOLS.flatMap((protocol) => {
    try {
      return parsePortTable(protocol, readFileSync(join(net, protocol), 'latin1'));
    } catch {
      // A kernel without IPv6 has no such table.
      return [];
    }
  });
}

/** The open ones in a table of proc_pid_net(5). What is no line of it is passed over. */
export function parsePortTable(protocol: OpenPort['protocol'], table: string): OpenPort[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [, hex = '', portHex = ''] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (hex === '' || state !== OPEN_STATES[protocol] || !/^\d+$/.test(inode)) return [];
    const bytes = addressBytes(hex);
    const port = Number.parseInt(portHex, 16);
    return [{ protocol, address: addressText(bytes), port, loopback: isLoopback(bytes), inode }];
  });
}

/** The kernel prints each 32-bit word of an address as this machine's number: little-endian on both that Node runs on. */
function addressBytes(hex: string): number[] {
  const words = hex.match(/.{8}/g) ?? [];
  return words.flatMap((word) =>
    (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  );
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const isMapped = (bytes: readonly number[]) => MAPPED.every((byte, at) => bytes[at] === byte);

function addressText(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  if (isMapped(bytes)) return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function isLoopback(bytes: readonly number[]): boolean {
  if (bytes.length === 4) return bytes[0] === 127;
  if (isMapped(bytes)) return bytes[12] === 127;
  return bytes.every((byte, at) => byte === (at === 15 ? 1 : 0));
}
