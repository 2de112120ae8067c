import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Bench } from './bench.ts';
import { type Measurement, median } from './measurement.ts';
import { NginxPeer } from './nginx-peer.ts';
import { cpuOf, processTree } from './processes.ts';
import { TestServer } from './test-server.ts';
import type { Load } from './tls-load.ts';

const CAMERAS = 4;
const ROUNDS = 3;
const MIB = 1024 * 1024;

/** What one round took, of one server. */
interface Round {
  readonly mibPerSecond: number;
  /** CPU time of the server for a GiB, s; undefined where it was not looked at. */
  readonly cpuSecondsPerGib: number | undefined;
}

/** The same cameras bring the same segments to our gate and to nginx in turn; both have them durably in the end. */
export async function gate({ scratch, quick, say }: Bench): Promise<Measurement[]> {
  const segments = quick ? 15 : 40;
  const directory = join(scratch, 'gate');
  mkdirSync(directory);
  const testServer = await TestServer.open(directory);
  const nginx = await NginxPeer.open(join(scratch, 'nginx'), testServer.identity);
  try {
    const cameras = Array.from({ length: CAMERAS }, () => testServer.makeCamera('/dev/null'));
    const load = { cameras, segments, authority: testServer.identity.serverAuthority };
    const [ours, theirs]: [Round[], Round[]] = [[], []];
    for (let round = 1; round <= ROUNDS; round++) {
      say(`gate, ${CAMERAS} cameras with ${segments} segments each, round ${round} of ${ROUNDS}`);
      ours.push(await bring({ ...load, origin: testServer.origin, store: undefined }, testServer.pid));
      theirs.push(await bring({ ...load, origin: nginx.origin, store: nginx.store }, undefined));
      rmSync(nginx.store, { recursive: true });
      mkdirSync(nginx.store);
    }
    return [
      {
        name: 'gate-rate',
        what: 'TLS server: segments of 2 MB made durable',
        unit: 'MiB/s',
        value: median(ours.map(({ mibPerSecond }) => mibPerSecond)),
        peer: {
          what: 'nginx PUT, then fsync',
          value: median(theirs.map(({ mibPerSecond }) => mibPerSecond)),
        },
        budget: { of: 'ratio', bound: 'at least', limit: 0.7 },
      },
      {
        name: 'gate-cpu',
        what: "  the server's CPU for a GiB",
        unit: 's',
        value: median(ours.map(({ cpuSecondsPerGib }) => cpuSecondsPerGib ?? Number.NaN)),
      },
    ];
  } finally {
    await nginx.close();
    await testServer.close();
  }
}

async function bring(load: Load, server: number | undefined): Promise<Round> {
  const before = server === undefined ? 0 : cpuOf(processTree(server));
  const script = join(import.meta.dirname, 'tls-load.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(load)]);
  const { ms, bytes } = JSON.parse(stdout);
  const cpuMs = server === undefined ? undefined : cpuOf(processTree(server)) - before;
  return {
    mibPerSecond: bytes / MIB / (ms / 1000),
    cpuSecondsPerGib: cpuMs && cpuMs / 1000 / (bytes / MIB / 1024),
  };
}
