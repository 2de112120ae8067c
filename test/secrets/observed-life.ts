import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCaptureState } from '../../agent/capture/status-file.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { makeClip } from '../capture/capture-process.ts';
import { recordingPackets } from '../e2e/plaintext.ts';
import { family, stillRunning } from '../e2e/processes.ts';
import { until } from '../e2e/until.ts';
import { exitOf } from '../exit-of.ts';
import { credentialsOf } from '../sources/credentials.ts';
import { type NetworkCamera, openNetworkCamera } from '../sources/network-camera.ts';
import { decryptedPackets } from './packets.ts';
import { type Planted, plantSecrets, secretsMade } from './secrets.ts';
import { filesUnder, type Haystack, type Secret } from './sweep.ts';
import { spawnTraced } from './traced.ts';

/** Commands that run in place of the real one. */
export interface Builds {
  readonly camera?: string;
  readonly server?: string;
}

/**
 * A server, an RTSP camera and Oriel's camera on this machine, with planted secrets, and all that could show them:
 * what is logged and printed, each program's arguments and environment, packets, also decrypted, files, core dumps.
 */
export class ObservedLife {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-secrets-'));
  readonly planted: Planted = plantSecrets();
  readonly haystacks: Haystack[] = [];
  readonly #builds: Builds;
  readonly #cores = this.#make('cores');
  readonly #programs = this.#make('programs');
  readonly #logs = this.#make('logs');
  #rtsp: NetworkCamera | undefined;
  #server: ChildProcess | undefined;
  #camera: ChildProcess | undefined;
  #port = 0;

  private constructor(builds: Builds) {
    this.#builds = builds;
  }

  static async with<T>(builds: Builds, act: (life: ObservedLife) => Promise<T>): Promise<T> {
    const life = new ObservedLife(builds);
    try {
      const clip = makeClip(life.directory, 'clip.mp4', [
        ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '4', '-c:v', 'libx264'],
        ...['-b:v', '60k', '-bf', '0', '-g', '10', '-pix_fmt', 'yuv420p'],
      ]);
      const { user, password } = life.planted.rtsp;
      const credentials = credentialsOf(`${user}:${password}`, 'basic');
      life.#rtsp = await openNetworkCamera({ file: clip, fps: 10, faults: { credentials } });
      return await act(life);
    } finally {
      await life.#dispose();
    }
  }

  #make(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path);
    return path;
  }

  readonly at = (name: string) => join(this.directory, name);
  get key(): string {
    return this.at('viewing.key');
  }
  get serverDirectory(): string {
    return this.at('server');
  }
  get cameraDirectory(): string {
    return this.at('camera');
  }
  get serverPort(): number {
    return this.#port;
  }
  get rtspPort(): number {
    return this.#rtsp?.port ?? 0;
  }
  /** The RTSP camera's URL with a password as it stands in a URL. */
  source(password: string): string {
    const { user } = this.planted.rtsp;
    return `rtsp://${user}:${encodeURIComponent(password).replaceAll("'", '%27')}@127.0.0.1:${this.rtspPort}/x`;
  }

  /** `oriel ARGS`, to its end; it has to succeed. @returns what it printed on stdout. */
  async oriel(args: readonly string[], stdin = ''): Promise<string> {
    const { code, stdout } = await this.ask(args, stdin);
    if (code !== 0) throw new Error(`oriel ${args.join(' ')} ended with ${code}: ${stdout}`);
    return stdout;
  }

  /** The same, whatever its exit code tells. */
  async ask(args: readonly string[], stdin = ''): Promise<{ code: number; stdout: string }> {
    const builds: Partial<Record<string, string>> = { ...this.#builds };
    const command = [builds[args[0] ?? ''] ?? ORIEL, ...args];
    const child = this.#spawn(command, 'pipe');
    const said: Buffer[] = [];
    const out: Buffer[] = [];
    child.stdout?.on('data', (chunk) => said.push(chunk) && out.push(chunk));
    child.stderr?.on('data', (chunk) => said.push(chunk));
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
    const [code] = await once(child, 'close');
    const bytes = Buffer.concat(said);
    this.haystacks.push({ name: `output of ${args.slice(0, 2).join(' ')}`, bytes });
    return { code, stdout: Buffer.concat(out).toString() };
  }

  async startServer(): Promise<void> {
    const at = ['--address', '127.0.0.1', '--port', String(this.#port)];
    const command = [this.#builds.server ?? ORIEL, 'server', 'run', this.serverDirectory, ...at];
    const env = { NODE_OPTIONS: `--tls-keylog=${this.at('tls-keys')}` };
    const server = this.#spawn([...command, '--log-level', 'debug', '--json-log'], 'server', env);
    this.#server = server;
    this.#port = await until('the server runs', () => {
      if (server.exitCode !== null) throw new Error(`the server ended: ${this.log('server')}`);
      const state = join(this.serverDirectory, 'run', 'server.json');
      const { pid, port } = existsSync(state) ? JSON.parse(readFileSync(state, 'utf8')) : {};
      return family(server.pid ?? 0).some((each) => each.pid === pid) && Number(port);
    });
  }

  startCamera(): void {
    const command = [this.#builds.camera ?? ORIEL, 'camera', 'run', this.cameraDirectory];
    this.#camera = this.#spawn([...command, '--log-level', 'trace'], 'camera');
  }

  async endCamera(): Promise<void> {
    await this.#end(this.#camera, / camera run /);
  }

  async endServer(): Promise<void> {
    await this.#end(this.#server, / server run /);
  }

  async #end(child: ChildProcess | undefined, pattern: RegExp): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = exitOf(child);
    this.#signal(child, pattern, 'SIGTERM');
    await gone;
  }

  /** One of the camera's processes, or of the server's, gets a signal. */
  crash(who: 'agent' | 'capture' | 'ffmpeg' | 'server', signal: NodeJS.Signals): void {
    if (who === 'server') this.#signal(this.#server, / server run /, signal);
    else this.#signal(this.#camera, who === 'ffmpeg' ? /^ffmpeg / : new RegExp(` camera ${who} `), signal);
  }

  #signal(child: ChildProcess | undefined, pattern: RegExp, signal: NodeJS.Signals): void {
    const fits = family(child?.pid ?? 0).filter(
      ({ command }) => pattern.test(command) && !command.startsWith('strace '),
    );
    const last = fits.at(-1);
    if (last === undefined) throw new Error(`there is no ${pattern}`);
    process.kill(last.pid, signal);
  }

  async serverGone(): Promise<void> {
    const server = this.#server;
    await until(
      'the server is gone',
      () => server === undefined || server.exitCode !== null || server.signalCode !== null,
    );
  }

  get status(): AgentStatus | undefined {
    return readStatus(join(this.cameraDirectory, 'run', 'status.json'));
  }

  /** Waits until an agent other than the one given records. @returns its process id. */
  records(before: number | undefined, seconds = 1): Promise<number> {
    return until('the camera records', () => {
      if (this.#camera?.exitCode !== null) throw new Error(`the camera ended: ${this.log('camera')}`);
      const { status } = this;
      return (
        status !== undefined && status.pid !== before && status.acknowledgedSeconds >= seconds && status.pid
      );
    });
  }

  get capture() {
    return readCaptureState(join(this.cameraDirectory, 'run', 'capture'));
  }

  log(name: 'camera' | 'server'): string {
    return readFileSync(join(this.#logs, name), 'utf8');
  }

  /** What lies on the disks at this moment. */
  look(when: string): void {
    for (const name of ['camera', 'server'])
      this.haystacks.push(...filesUnder(this.at(name), `${when}: ${name}`));
  }

  /** Packets of the server's and of the RTSP camera's port while it acts, and what of them can be decrypted. */
  async observingPackets(act: () => Promise<void>): Promise<void> {
    const { serverPort, rtspPort } = this;
    let toCamera: Buffer = Buffer.of();
    const toServer = await recordingPackets(serverPort, this.at('packets'), async () => {
      toCamera = await recordingPackets(rtspPort, this.at('rtsp-packets'), act);
    });
    const decrypted = decryptedPackets(this.at('packets'), serverPort, this.at('tls-keys'));
    this.haystacks.push(
      { name: 'packets of the server', bytes: toServer },
      { name: 'packets of the server, decrypted', bytes: decrypted },
      { name: 'packets of the RTSP camera', bytes: toCamera },
    );
  }

  /** Everything at its end: logs, programs started, core dumps. */
  lookAtTheRest(): void {
    for (const [path, name] of [
      [this.#logs, 'log'],
      [this.#programs, 'programs started'],
      [this.#cores, 'core dump'],
    ] as const) {
      const files = filesUnder(path, name);
      const bytes = Buffer.concat(files.map((each) => each.bytes));
      this.haystacks.push(...(name === 'programs started' ? [{ name, bytes }] : files));
    }
  }

  /** What camera and server may leave at a crash: mappings (core(5)), then bytes, of each of their processes. */
  get dumpLimits(): Set<string> {
    const all = [this.#camera, this.#server].flatMap((child) => family(child?.pid ?? 0));
    const own = all.filter(({ command }) => /^ffmpeg | (camera|server) /.test(command));
    return new Set(
      own.filter(({ command }) => !command.startsWith('strace ')).map(({ pid }) => dumpLimit(pid)),
    );
  }

  /** Files in which a crash left something. */
  get coreDumps(): string[] {
    return readdirSync(this.#cores);
  }

  /** All secrets there ever were, by their owners' files. */
  secrets(): Promise<Secret[]> {
    return secretsMade(this.planted, this.key, this.serverDirectory);
  }

  #spawn(
    command: readonly string[],
    log: 'pipe' | 'camera' | 'server',
    env: Record<string, string> = {},
  ): ChildProcess {
    const said = log === 'pipe' ? 'pipe' : openSync(join(this.#logs, log), 'a', 0o600);
    const programs = join(this.#programs, String(readdirSync(this.#programs).length));
    const stdio: StdioOptions = [log === 'pipe' ? 'pipe' : 'ignore', said, said];
    const options = { cwd: this.#cores, stdio, env: { HOME: this.directory, ...env } };
    const child = spawnTraced(command, programs, options);
    if (typeof said === 'number') closeSync(said);
    return child;
  }

  async #dispose(): Promise<void> {
    const left = [this.#camera, this.#server].flatMap((child) => (child?.pid ? family(child.pid) : []));
    for (const { pid } of stillRunning(left).reverse()) process.kill(pid, 'SIGKILL');
    await until('all are gone', () => stillRunning(left).length === 0);
    await this.#rtsp?.close();
    rmSync(this.directory, { recursive: true });
  }
}

function dumpLimit(pid: number): string {
  const [, bytes] = /^Max core file size\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
  return `${readFileSync(`/proc/${pid}/coredump_filter`, 'utf8').trim()} ${bytes}`;
}
