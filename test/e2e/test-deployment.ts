import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaptureState, readCaptureState } from '../../agent/capture/status-file.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import type { FootageReport } from '../../footage/report.ts';
import { endProcess, ORIEL, oriel } from '../../scripts/demonstration/oriel-command.ts';
import { exitOf } from '../exit-of.ts';
import { family, type Process, stillRunning } from './processes.ts';
import { Relay } from './relay.ts';
import { deploymentTemplate, type Provisioned, placesIn } from './template.ts';
import { until } from './until.ts';

export interface TestDeploymentOptions {
  readonly source: string;
  readonly audio?: boolean;
  /** The camera's `oriel`, if not the real one. */
  readonly camera?: string;
  /** The server's. */
  readonly server?: string;
  /** What `oriel server run` is given beside directory and address. */
  readonly serverOptions?: readonly string[];
  /** Descriptors that server and camera log to, instead of files. */
  readonly logTo?: { readonly server: number; readonly camera: number };
  /** Beside the test's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Video that a camera in good order holds: the server makes it durable about once a second. */
const UNDER_WAY_SECONDS = 2;

/**
 * A household of real processes, `oriel server run` and `oriel camera run`, with a line between them that can be
 * cut, and all that a test does to it.
 */
export class TestDeployment {
  readonly parts: Provisioned;
  readonly #wish: TestDeploymentOptions;
  #relay: Relay | undefined;
  #server: ChildProcess | undefined;
  #camera: ChildProcess | undefined;
  #port = 0;
  /** For the next start of the server. */
  serverOptions: readonly string[];
  /** Every process there ever was. */
  readonly #seen: Process[] = [];

  private constructor(parts: Provisioned, wish: TestDeploymentOptions) {
    this.parts = parts;
    this.#wish = wish;
    this.serverOptions = wish.serverOptions ?? [];
  }

  /** Makes a household, does something with it, and clears it away. */
  static async with<T>(
    wish: TestDeploymentOptions,
    act: (deployment: TestDeployment) => Promise<T>,
  ): Promise<T> {
    const deployment = await TestDeployment.#make(wish);
    try {
      return await act(deployment);
    } finally {
      await deployment.#dispose();
    }
  }

  static async #make(wish: TestDeploymentOptions): Promise<TestDeployment> {
    const template = await deploymentTemplate(wish.audio === true);
    const directory = mkdtempSync(join(tmpdir(), 'oriel-home-'));
    cpSync(template.directory, directory, { recursive: true });
    const parts = { ...template, ...placesIn(directory) };
    const deployment = new TestDeployment(parts, wish);
    try {
      await deployment.startServer();
      deployment.#relay = await Relay.to(deployment.serverPort);
      deployment.changeConfig((config) => {
        config.server.origin = `https://127.0.0.1:${deployment.relay.port}`;
        config.source = wish.source;
      });
      return deployment;
    } catch (error) {
      await deployment.#dispose();
      throw error;
    }
  }

  get directory(): string {
    return this.parts.directory;
  }
  get cameraDirectory(): string {
    return this.parts.cameraDirectory;
  }
  get footageDirectory(): string {
    return join(this.parts.serverDirectory, 'footage', this.parts.cameraId);
  }
  get relay(): Relay {
    if (this.#relay === undefined) throw new Error('there is no line yet');
    return this.#relay;
  }
  get serverPort(): number {
    return this.#port;
  }

  changeConfig(
    change: (config: { server: { origin: string }; source: string; spool: object }) => void,
  ): void {
    const path = join(this.cameraDirectory, 'camera.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    change(config);
    writeFileSync(path, JSON.stringify(config));
  }

  /** Starts the server: at any port the first time, then at the same. */
  async startServer(): Promise<void> {
    const { serverDirectory } = this.parts;
    const at = ['--address', '127.0.0.1', '--port', String(this.#port)];
    const options = [...at, ...this.serverOptions];
    const server = this.#start(this.#wish.server, 'server', 'server', 'run', serverDirectory, ...options);
    this.#server = server;
    this.#port = await until('the server runs', () => {
      if (server.exitCode !== null) throw new Error(`the server ended:\n${this.log('server')}`);
      const path = join(serverDirectory, 'run', 'server.json');
      const state = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
      return state.pid === server.pid && Number(state.port);
    });
  }

  async endServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#remember();
    if (this.#server !== undefined) expect(await endProcess(this.#server, signal)).toBe(0);
  }

  signalServer(signal: NodeJS.Signals): void {
    this.#server?.kill(signal);
  }

  async killServer(): Promise<void> {
    this.#remember();
    if (this.#server !== undefined) await kill(this.#server);
  }

  /** Starts the camera; resolves once it has sealed its first second. */
  async startCamera(): Promise<void> {
    this.launchCamera();
    await this.records();
  }

  /** Waits until the camera that was started last has sealed its first second. */
  records(): Promise<void> {
    return this.#comesTo('the camera records', ({ capturedSeconds }) => capturedSeconds >= 1);
  }

  /** Waits until the camera that was started last waits itself: for what it needs to record. */
  waits(): Promise<void> {
    return this.#comesTo('the camera waits', ({ state }) => state === 'waiting');
  }

  async #comesTo(what: string, fits: (status: AgentStatus) => boolean): Promise<void> {
    const own = new Set([this.#camera?.pid]);
    const others = new Set<number>();
    await until(what, () => {
      if (this.#camera?.exitCode !== null) throw new Error(`the camera ended:\n${this.log('camera')}`);
      const status = this.lookAtStatus();
      if (status === undefined || others.has(status.pid)) return false;
      if (!own.has(status.pid)) {
        const members = family(this.#camera.pid ?? 0);
        (members.some(({ pid }) => pid === status.pid) ? own : others).add(status.pid);
      }
      return own.has(status.pid) && fits(status);
    });
    this.#remember();
  }

  /** Starts the camera without waiting for anything. */
  launchCamera(): ChildProcess {
    this.#camera = this.#start(this.#wish.camera, 'camera', 'camera', 'run', this.cameraDirectory);
    return this.#camera;
  }

  /** Ends the camera in good order. @returns its exit code. */
  async endCamera(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.#remember();
    return this.#camera === undefined ? 0 : endProcess(this.#camera, signal);
  }

  /** Kills the launcher, as the kernel does out of memory. */
  async killCamera(): Promise<void> {
    this.#remember();
    if (this.#camera !== undefined) await kill(this.#camera);
  }

  /** Processes of the camera whose command line matches. */
  cameraProcesses(pattern: RegExp): Process[] {
    return family(this.#camera?.pid ?? 0).filter(({ command }) => pattern.test(command));
  }

  get status(): AgentStatus {
    const status = this.lookAtStatus();
    if (status === undefined) throw new Error(`the camera says nothing of itself:\n${this.log('camera')}`);
    return status;
  }

  lookAtStatus(): AgentStatus | undefined {
    return readStatus(new CameraDirectory(this.cameraDirectory).status);
  }

  get capture(): CaptureState {
    const state = readCaptureState(new CameraDirectory(this.cameraDirectory).captureRun);
    if (state === null) throw new Error('capture says nothing of itself');
    return state;
  }

  /** Waits until so many more seconds have been captured. */
  async captures(seconds: number): Promise<AgentStatus> {
    const wanted = this.status.capturedSeconds + seconds;
    return until(`${seconds} s more are captured`, () => {
      const { status } = this;
      return status.capturedSeconds >= wanted && status;
    });
  }

  /** Waits until nothing is held but what is on its way, while recording goes on. */
  drains(): Promise<AgentStatus> {
    return until('the backlog has drained', () => {
      const { status } = this;
      return status.heldSeconds <= UNDER_WAY_SECONDS && status;
    });
  }

  log(name: 'camera' | 'server'): string {
    return readFileSync(join(this.directory, `${name}.log`), 'utf8');
  }

  /** What the camera logged of policies on file that it does not obey. */
  complaints(): { readonly code: string; readonly reason: string }[] {
    const lines = this.log('camera').split('\n');
    return lines.filter((line) => line.includes('policy on file')).map((line) => JSON.parse(line));
  }

  /** `oriel footage VERB` on the server's directory. */
  footage(verb: 'list' | 'verify' | 'open', ...options: readonly string[]) {
    const { serverDirectory, key } = this.parts;
    return oriel('footage', verb, serverDirectory, '--key', key, ...options);
  }

  /** What `oriel footage verify` finds, and its exit code. */
  async verify(): Promise<{ readonly code: number; readonly report: FootageReport }> {
    const { code, stdout, stderr } = await this.footage('verify', '--json');
    if (!stdout.startsWith('{')) throw new Error(stderr);
    return { code, report: JSON.parse(stdout) };
  }

  async #dispose(): Promise<void> {
    this.#remember();
    for (const child of [this.#camera, this.#server]) if (child !== undefined) await kill(child);
    await this.#relay?.close();
    const left = await until(
      'no process is left over',
      () => stillRunning(this.#seen).length === 0 && [],
      60_000,
    ).catch(() => stillRunning(this.#seen));
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    rmSync(this.directory, { recursive: true });
    expect(left).toEqual([]);
  }

  #start(command: string | undefined, name: 'server' | 'camera', ...args: readonly string[]): ChildProcess {
    const file = openSync(join(this.directory, `${name}.log`), 'a', 0o600);
    const log = this.#wish.logTo?.[name] ?? file;
    const child = spawn(command ?? ORIEL, args, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...this.#wish.environment },
    });
    closeSync(file);
    return child;
  }

  #remember(): void {
    for (const child of [this.#camera, this.#server]) {
      if (child?.pid !== undefined) this.#seen.push(...family(child.pid));
    }
  }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await exitOf(child);
}
