import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, type Done, does, run } from './command.ts';
import { SimulationError } from './errors.ts';
import { until } from './wait.ts';

/** Where an engine of our own keeps its images from one run to the next. */
export const ENGINE_ROOT = '/var/cache/oriel-engine';

/** Not Docker's own: another engine's filter rules may have outlived it. Lines for a thousand cameras. */
const ADDRESSES = 'base=10.213.0.0/16,size=26';
const SECONDS = 1000;

export interface EngineOptions {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A Docker engine. */
export class Engine {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #stop: () => Promise<void>;

  constructor(socket: string | undefined, stop: () => Promise<void>) {
    this.#environment = socket === undefined ? {} : { DOCKER_HOST: socket };
    this.#stop = stop;
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** `docker ARGS`, whatever it ends with. */
  try(args: readonly string[], options: CommandOptions = {}): Promise<Done> {
    return run(['docker', ...args], { ...options, env: { ...this.#environment, ...options.env } });
  }

  /** `docker ARGS`. @returns its stdout. @throws SimulationError COMMAND_FAILED. */
  docker(...args: readonly string[]): Promise<string> {
    return does(['docker', ...args], { env: this.#environment });
  }

  /** Ends it if it was started for this; one that ran before is left alone. */
  stop(): Promise<void> {
    return this.#stop();
  }
}

/** The engine that answers here. */
async function runningEngine(): Promise<Engine | undefined> {
  const engine = new Engine(undefined, async () => undefined);
  const { code } = await engine.try(['version', '--format', '{{.Server.Version}}'], {
    timeoutMs: 10 * SECONDS,
  });
  return code === 0 ? engine : undefined;
}

/** The engine that runs here, or else one started for the time being. @throws SimulationError ENGINE_*. */
export async function openEngine(wish: EngineOptions): Promise<Engine> {
  const running = await runningEngine();
  if (running !== undefined) return running;
  if (process.getuid?.() !== 0) {
    throw new SimulationError(
      'ENGINE_MISSING',
      'no Docker engine answers, and only root may start one: start it (sudo systemctl start docker), or run this as root',
    );
  }
  return startEngine(wish);
}

/**
 * Starts an engine of our own beside any other, with the storage that keeps our images. It leaves the machine's packet
 * filter and forwarding alone, so that its networks are lines between containers and lead nowhere.
 */
export async function startEngine({ say, signal }: EngineOptions): Promise<Engine> {
  say(`starting a Docker engine; its images stay in ${ENGINE_ROOT} for the next time`);
  mkdirSync(ENGINE_ROOT, { recursive: true, mode: 0o711 });
  const room = mkdtempSync(join(tmpdir(), 'oriel-engine-'));
  const socket = `unix://${join(room, 'docker.sock')}`;
  const log = openSync(join(room, 'log'), 'a');
  const daemon = spawn(
    'flock',
    [
      // Two engines in one storage would destroy it.
      ...['--no-fork', '--timeout', '900', `${ENGINE_ROOT}/lock`, 'dockerd', '--host', socket],
      ...['--data-root', join(ENGINE_ROOT, 'data'), '--exec-root', join(room, 'exec')],
      ...['--pidfile', join(room, 'pid'), '--storage-driver=overlay2'],
      ...['--bridge=none', '--iptables=false', '--ip-forward=false'],
      ...['--default-address-pool', ADDRESSES],
    ],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  const engine = new Engine(socket, () => end(daemon, room));
  try {
    await until('the engine answers', () => answers(engine, daemon, room), {
      signal,
      patienceMs: 960 * SECONDS,
    });
  } catch (cause) {
    await engine.stop();
    throw cause;
  }
  return engine;
}

async function answers(engine: Engine, daemon: ChildProcess, room: string): Promise<boolean> {
  if (daemon.exitCode !== null) {
    const log = readFileSync(join(room, 'log'), 'utf8').trim().slice(-1000);
    throw new SimulationError('ENGINE_FAILED', `the Docker engine did not start: ${log}`);
  }
  return (await engine.try(['version'])).code === 0;
}

async function end(daemon: ChildProcess, room: string): Promise<void> {
  if (daemon.exitCode === null && daemon.signalCode === null) {
    const { promise, resolve } = Promise.withResolvers<void>();
    daemon.once('exit', () => resolve());
    daemon.kill('SIGTERM');
    await promise;
  }
  // It leaves its network namespace mounted.
  for (const line of readFileSync('/proc/mounts', 'latin1').split('\n')) {
    const [, point = ''] = line.split(' ');
    if (point.startsWith(`${room}/`)) await run(['umount', point]);
  }
  rmSync(room, { recursive: true, force: true });
}
