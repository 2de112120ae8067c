import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exitOf } from '../exit-of.ts';

export const SERVER = { v4: '10.77.0.1', v6: 'fd77::1' } as const;
export const CAMERA = { v4: '10.77.0.2', v6: 'fd77::2' } as const;
export const STRANGER = { v4: '10.77.0.3', v6: 'fd77::3' } as const;

export type Place = 'server' | 'camera' | 'stranger';

const sh = (script: string, ...args: string[]) =>
  execFileSync('sh', ['-ec', script, 'sh', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * A network of three machines, each a network namespace with an Ethernet port: the camera, the server (with the
 * switch, and the resolver that the camera uses), and a stranger. It takes root.
 */
export class Lan {
  readonly #id = `oriel${process.pid}`;
  readonly #processes = new Set<ChildProcess>();

  constructor() {
    sh(
      `for place in server camera stranger; do ip netns add $1-$place; ip -n $1-$place link set lo up; done
      # Refusals for every probe, or a scanner has to guess.
      ip netns exec $1-camera sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
      ip netns exec $1-camera sysctl -qw net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=100000
      ip -n $1-server link add switch type bridge
      for place in camera stranger; do
        ip -n $1-server link add to-$place type veth peer name eth0 netns $1-$place
        ip -n $1-server link set to-$place master switch up
      done
      address() { ip -n $1-$2 addr add $4/24 dev $3; ip -n $1-$2 addr add $5/64 dev $3 nodad; ip -n $1-$2 link set $3 up; }
      address $1 server switch $2 $3; address $1 camera eth0 $4 $5; address $1 stranger eth0 $6 $7`,
      ...[this.#id, SERVER.v4, SERVER.v6, CAMERA.v4, CAMERA.v6, STRANGER.v4, STRANGER.v6],
    );
    // ip-netns(8) puts this over /etc/resolv.conf for whatever it starts in the namespace.
    mkdirSync(this.#etc, { recursive: true });
    writeFileSync(join(this.#etc, 'resolv.conf'), `nameserver ${SERVER.v4}\n`);
  }

  get #etc(): string {
    return join('/etc/netns', `${this.#id}-camera`);
  }

  /** What a command is run under to run at a place. */
  at(place: Place): string[] {
    return ['ip', 'netns', 'exec', `${this.#id}-${place}`];
  }

  /** Runs a command there to its end. @returns what it printed. */
  run(place: Place, ...command: string[]): string {
    const [program = '', ...args] = [...this.at(place), ...command];
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** As `run`, while the test goes on. */
  async does(place: Place, ...command: string[]): Promise<string> {
    const [program = '', ...args] = [...this.at(place), ...command];
    return (await promisify(execFile)(program, args)).stdout;
  }

  /** Starts a command there; it is ended with the network. */
  start(place: Place, command: readonly string[], stdio: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    const [program = '', ...args] = [...this.at(place), ...command];
    const child = spawn(program, args, { stdio: ['ignore', stdio, stdio] });
    this.#processes.add(child);
    child.once('exit', () => this.#processes.delete(child));
    return child;
  }

  async close(): Promise<void> {
    const gone = [...this.#processes].map((child) => exitOf(child));
    for (const child of this.#processes) child.kill('SIGKILL');
    await Promise.all(gone);
    sh('for place in server camera stranger; do ip netns del $1-$place; done', this.#id);
    rmSync(this.#etc, { recursive: true });
  }
}

/**
 * Ports of the camera at which a scanner finds somebody, from the stranger's place: all of TCP and the common ones of
 * UDP, IPv4 and IPv6. Each as `port/protocol/version`; a port that swallows probes counts.
 */
export async function scan(lan: Lan): Promise<string[]> {
  const look = async (version: 4 | 6, ...options: string[]) => {
    const family = version === 6 ? ['-6', CAMERA.v6] : [CAMERA.v4];
    const grepable = await lan.does(
      'stranger',
      'nmap',
      '-n',
      '-Pn',
      '-T4',
      ...options,
      '-oG',
      '-',
      ...family,
    );
    if (!grepable.includes('1 host up')) throw new Error(`nmap: ${grepable}`);
    return [...grepable.matchAll(/(\d+)\/((?:open|filtered)[^/]*)\/(tcp|udp)\//g)].map(
      ([, port, , protocol]) => `${port}/${protocol}/${version}`,
    );
  };
  const found: string[] = [];
  for (const version of [4, 6] as const) {
    found.push(...(await look(version, '-sS', '-p-')));
    found.push(...(await look(version, '-sU', '--top-ports', '200')));
  }
  return found;
}

/** Everything that leaves the camera's Ethernet port from now on. */
export class Wiretap {
  readonly #tcpdump: ChildProcess;
  readonly #file: string;

  private constructor(tcpdump: ChildProcess, file: string) {
    this.#tcpdump = tcpdump;
    this.#file = file;
  }

  static async on(lan: Lan, file: string): Promise<Wiretap> {
    const options = ['-i', 'eth0', '-Q', 'out', '--immediate-mode', '-U', '-Z', 'root', '-w', file];
    const tcpdump = lan.start('camera', ['tcpdump', ...options], 'pipe');
    const { promise, resolve } = Promise.withResolvers<void>();
    tcpdump.stderr?.on('data', (chunk) => String(chunk).includes('listening on') && resolve());
    await promise;
    return new Wiretap(tcpdump, file);
  }

  /** Where it went, each once: `protocol address port`. How the kernel finds its neighbours is left out. */
  async destinations(): Promise<string[]> {
    const gone = exitOf(this.#tcpdump);
    this.#tcpdump.kill('SIGINT');
    await gone;
    const fields = [
      'eth.type',
      'ip.proto',
      'ipv6.nxt',
      'icmpv6.type',
      'ip.dst',
      'ipv6.dst',
      'tcp.dstport',
      'udp.dstport',
    ];
    const rows = execFileSync(
      'tshark',
      ['-n', '-r', this.#file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const seen = rows
      .split('\n')
      .filter((row) => row !== '')
      .map(describePacket);
    return [...new Set(seen)].filter((packet) => packet !== 'neighbour discovery').sort();
  }
}

const ETHERTYPE_ARP = 0x0806;
/** ICMPv6 types of neighbour and multicast listener discovery (RFC 4861, RFC 3810). */
const NEIGHBOUR_DISCOVERY = new Set(['131', '132', '133', '135', '136', '143']);

function describePacket(row: string): string {
  const [etherType, , , icmpType = '', v4 = '', v6 = '', tcp = '', udp = ''] = row.split('\t');
  if (Number(etherType) === ETHERTYPE_ARP || NEIGHBOUR_DISCOVERY.has(icmpType)) return 'neighbour discovery';
  const protocol = tcp === '' ? 'udp' : 'tcp';
  return tcp === '' && udp === '' ? `other ${v4}${v6}` : `${protocol} ${v4}${v6} ${tcp}${udp}`;
}
