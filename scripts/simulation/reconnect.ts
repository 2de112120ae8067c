import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverDial } from '../../agent/client/dial.ts';
import { SimulationError } from './errors.ts';
import { LightCamera } from './light-camera.ts';
import { LIGHT_HOST, makeLightServer } from './light-server.ts';
import { type Finding, finding } from './scene.ts';
import { pause, until } from './wait.ts';

/** The longest wait between two tries, twice over. */
const PATIENCE_MS = 120_000;

export interface ReconnectOptions {
  readonly root: string;
  readonly cameras: number;
  /** How long the server is away, s. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/**
 * Many light cameras, all connected; the server goes away and comes back. Everything runs on this machine's loopback, so
 * that server and cameras share its cores.
 */
export async function reconnect({
  root,
  cameras,
  seconds,
  signal,
  say,
}: ReconnectOptions): Promise<readonly Finding[]> {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-reconnect-'));
  const over = new AbortController();
  const ending = AbortSignal.any([signal, over.signal]);
  const servers: ChildProcess[] = [];
  const running: Promise<void>[] = [];
  const start = async (port: number) => {
    const server = startServer(root, directory, port);
    servers.push(server);
    return { server, port: await runningPort(server, directory, signal) };
  };
  try {
    say(`making ${cameras} certificates`);
    const testServer = await makeLightServer(join(directory, 'house'), cameras);
    const first = await start(0);
    const rate = new Rate();
    const fleet = testServer.identities.map(({ device, certificate }) => {
      const origin = `https://${LIGHT_HOST}:${first.port}`;
      const server = serverDial({
        server: { origin, pins: testServer.pins },
        device,
        trustedTimeMs: () => 0,
      });
      const events = {
        onConnected: () => rate.connected(),
        onAdmitted: () => undefined,
        onFailure: () => rate.failed(),
      };
      return new LightCamera(
        server.dialWith(() => certificate),
        server.authority,
        events,
      );
    });
    running.push(...fleet.map((camera) => camera.run(ending)));
    const all = (what: string) =>
      until(what, () => fleet.every(({ admitted }) => admitted), {
        signal,
        patienceMs: PATIENCE_MS,
        everyMs: 100,
      });
    await all(`${cameras} cameras are connected`);
    say(
      `${cameras} cameras are connected, ${rate.peak} a second at most; the server has ${memoryOf(first.server)}`,
    );

    await endServer(first.server);
    say(`the server is away for ${seconds} s`);
    await pause(seconds * 1000, signal);
    rate.reset();
    const second = await start(first.port);
    const from = performance.now();
    await all(`${cameras} cameras are back`);
    const took = ((performance.now() - from) / 1000).toFixed(1);
    return [
      finding(
        `${cameras} cameras are back ${took} s after the server, each let in by its own certificate`,
        true,
      ),
      finding(
        `peak: ${rate.peak} connections/s, with ${rate.failures} failed tries since the server was back`,
        true,
      ),
      finding(`the server's memory with all of them: ${memoryOf(second.server)}`, true),
    ];
  } finally {
    over.abort();
    await Promise.all(running);
    for (const server of servers) await endServer(server);
    rmSync(directory, { recursive: true });
  }
}

/** Counts what happens within any second. */
class Rate {
  #times: number[] = [];
  peak = 0;
  failures = 0;

  connected(): void {
    const now = performance.now();
    this.#times = [...this.#times.filter((time) => now - time < 1000), now];
    this.peak = Math.max(this.peak, this.#times.length);
  }

  failed(): void {
    this.failures += 1;
  }

  reset(): void {
    this.#times = [];
    this.peak = 0;
    this.failures = 0;
  }
}

function startServer(root: string, directory: string, port: number): ChildProcess {
  const at = ['--address', LIGHT_HOST, '--port', String(port), '--log-level', 'error'];
  const words = ['server', 'run', join(directory, 'house'), ...at];
  return spawn(join(root, 'oriel'), words, { stdio: 'ignore', detached: true });
}

function runningPort(server: ChildProcess, directory: string, signal: AbortSignal): Promise<number> {
  const path = join(directory, 'house/run/server.json');
  return until(
    'the server runs',
    () => {
      if (server.exitCode !== null) throw new SimulationError('COMMAND_FAILED', 'the server ended');
      if (!existsSync(path)) return undefined;
      const { pid, port } = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; port: number };
      return pid === server.pid ? port : undefined;
    },
    { signal, everyMs: 50 },
  );
}

async function endServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  server.once('exit', () => resolve());
  server.kill('SIGTERM');
  await promise;
}

/** Resident memory now, and at most (proc_pid_status(5)). */
function memoryOf({ pid }: ChildProcess): string {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024);
  return `${mib('VmRSS')} MiB, ${mib('VmHWM')} MiB at most`;
}
