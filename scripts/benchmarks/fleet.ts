import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import type { Measurement } from './measurement.ts';
import { processTree } from './processes.ts';
import { ORIEL } from './test-server.ts';

/** How long a server is left alone before it is looked at, ms: what handshakes left behind is collected by then. */
const REST_MS = 15_000;
const START_TRIES = 400;
const [KIB, MIB] = [1024, 1024 * 1024];

/** The memory of one server with one camera connected, then with many: each over HTTP and over control. */
export async function fleet({ scratch, quick, say }: Bench): Promise<Measurement[]> {
  const cameras = quick ? 200 : 1000;
  const directory = join(scratch, 'fleet');
  mkdirSync(directory);
  const testServer = join(directory, 'house');
  const script = join(import.meta.dirname, 'fleet-load.ts');
  const load = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, testServer], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // EPIPE: it is gone, which its exit tells.
  load.stdin.on('error', () => undefined);
  const ask = async (words: string) => {
    load.stdin.write(`${words}\n`);
    await Promise.race([
      once(load.stdout, 'data'),
      once(load, 'exit').then(() => {
        throw new Error('the cameras gave up');
      }),
    ]);
  };
  say(`making ${cameras} certificates`);
  await ask(`make ${cameras}`);
  const server = spawn(ORIEL, ['server', 'run', testServer, '--address', '127.0.0.1', '--port', '0'], {
    stdio: 'ignore',
  });
  try {
    const state = join(testServer, 'run/server.json');
    for (let tries = 0; !existsSync(state); tries++) {
      if (tries === START_TRIES) throw new Error('the server does not start');
      await sleep(50);
    }
    const { port, pid } = JSON.parse(readFileSync(state, 'utf8'));
    const resident = async () => {
      await sleep(quick ? REST_MS / 3 : REST_MS);
      return processTree(pid)[0]?.residentBytes ?? Number.NaN;
    };
    await ask(`connect ${port} 1`);
    const one = await resident();
    say(`connecting ${cameras} cameras`);
    await ask(`connect ${port} ${cameras}`);
    const many = await resident();
    return [
      {
        name: 'fleet-memory',
        what: `server: resident memory with ${cameras} cameras connected`,
        unit: 'MiB',
        value: many / MIB,
        peer: { what: 'with one', value: one / MIB },
        // Flat, as far as a measurement can tell.
        budget: { of: 'ratio', bound: 'at most', limit: 1.1 },
      },
      {
        name: 'fleet-camera',
        what: '  of it for one more camera, two TLS connections',
        unit: 'KiB',
        value: (many - one) / KIB / (cameras - 1),
      },
    ];
  } finally {
    load.kill('SIGKILL');
    server.kill('SIGTERM');
    if (server.exitCode === null) await once(server, 'exit');
  }
}
