import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentStatus } from '../../agent/status/status.ts';
import {
  cameraStatus,
  type Deployment,
  endServer,
  makeDeployment,
} from '../../scripts/demonstration/deployment.ts';
import { family, isRunning } from '../e2e/processes.ts';
import { until } from '../e2e/until.ts';

export const ORIEL_ROOT = join(import.meta.dirname, '../..');

/** Accounts for tests: numbers that no distribution gives to anybody. */
export const AGENT = { uid: 61201, gid: 61201 } as const;
export const CAPTURE = { uid: 61202, gid: 61202 } as const;
export const SEPARATED = [
  ...['--agent-user', `${AGENT.uid}:${AGENT.gid}`],
  ...['--capture-user', `${CAPTURE.uid}:${CAPTURE.gid}`],
] as const;
/** What starts a launcher with no more than its two capabilities. */
export const MINIMAL_ROOT = [
  'setpriv',
  '--bounding-set=-all,+setuid,+setgid',
  '--inh-caps=-all',
  '--',
] as const;

export { isRunning, until };

export interface OpenDeployment {
  readonly parts: Deployment;
  close(): Promise<void>;
}

/** A household in a temporary directory, its server running on this machine. */
export async function openDeployment(): Promise<OpenDeployment> {
  const directory = mkdtempSync(join(tmpdir(), 'oriel-no-way-in-'));
  // Users of their own pass through it to the camera's directory.
  chmodSync(directory, 0o711);
  const parts = await makeDeployment({ directory, source: 'test:', audio: false });
  return {
    parts,
    async close() {
      await endServer(parts);
      rmSync(directory, { recursive: true });
    },
  };
}

export async function withDeployment(act: (deployment: Deployment) => Promise<void>): Promise<void> {
  const { parts: deployment, close } = await openDeployment();
  try {
    await act(deployment);
  } finally {
    await close();
  }
}

/** Gives the camera's directory to the agent's user, as docs/design/hardening.md says. */
export function handOver({ cameraDirectory }: Deployment): void {
  const owner = `${AGENT.uid}:${CAPTURE.gid}`;
  const given = spawnSync('sh', ['-c', `chown -R ${owner} "$1" && chmod 710 "$1"`, 'sh', cameraDirectory]);
  if (given.status !== 0) throw new Error('giving away the directory of the camera takes root');
}

/** A running camera. */
export class RunningCamera {
  readonly launcher: ChildProcess;
  readonly #deployment: Deployment;
  readonly #log: string;

  /** @param before what the command is run under. */
  constructor(
    deployment: Deployment,
    oriel: string,
    options: readonly string[],
    before: readonly string[] = [],
  ) {
    this.#deployment = deployment;
    this.#log = join(deployment.directory, 'camera.log');
    const log = openSync(this.#log, 'a', 0o600);
    const [program = '', ...args] = [
      ...before,
      oriel,
      'camera',
      'run',
      deployment.cameraDirectory,
      ...options,
    ];
    this.launcher = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  get log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  /** Waits until so many seconds of this run are captured. */
  captures(seconds: number): Promise<AgentStatus> {
    const look = () => {
      if (this.launcher.exitCode !== null) throw new Error(`the camera ended:\n${this.log}`);
      const status = cameraStatus(this.#deployment);
      return (
        status !== undefined && status.capturedSeconds >= seconds && this.pids().has(status.pid) && status
      );
    };
    return until(`${seconds} s are captured`, look);
  }

  /** Its processes by pid, each with its command line. */
  pids(): Map<number, string> {
    return new Map(family(this.launcher.pid ?? 0).map(({ pid, command }) => [pid, command]));
  }

  /** The one process whose command line matches. */
  pid(pattern: RegExp): number {
    const found = [...this.pids()].filter(([, command]) => pattern.test(command));
    if (found.length !== 1) throw new Error(`${found.length} processes match ${pattern}`);
    return found[0]![0];
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const pids = [...this.pids().keys()];
    if (this.launcher.exitCode === null && this.launcher.signalCode === null) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.launcher.once('exit', () => resolve());
      this.launcher.kill(signal);
      await promise;
    }
    await until('all its processes are gone', () => pids.every((pid) => !isRunning(pid)));
    return this.launcher.exitCode;
  }

  /** Kills all of it: a broken build does not end when asked to. */
  async destroy(): Promise<void> {
    const pids = [...this.pids().keys()].filter((pid) => pid > 1 && isRunning(pid));
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('all its processes are gone', () => pids.every((pid) => !isRunning(pid)));
  }
}
