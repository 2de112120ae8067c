import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Deployment } from '../../scripts/demonstration/deployment.ts';
import { orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { exitOf } from '../exit-of.ts';
import { Lan, SERVER } from './lan.ts';
import { type Provisioned, provision, serverRuns } from './provision.ts';
import {
  AGENT,
  CAPTURE,
  handOver,
  MINIMAL_ROOT,
  ORIEL_ROOT,
  RunningCamera,
  SEPARATED,
} from './test-deployment.ts';

/** The server's name, which only the network's own resolver knows. */
const NAME = 'oriel.test';
const PORT = 8443;

/** A camera to come, and the steps by which it does. */
export interface BlankCamera {
  readonly parts: Provisioned;
  /** The board gets its setup code. */
  setUp(): void;
  /** The server hears of the code. */
  claim(): Promise<unknown>;
  /** The owner takes the camera for theirs. */
  accept(): Promise<unknown>;
}

/** A household whose camera and server are machines of their own. */
export class LanDeployment {
  readonly lan = new Lan();
  readonly parts: Provisioned;
  readonly #addressFile: string;
  #server: ChildProcess | undefined;

  private constructor(deployment: Provisioned) {
    this.parts = deployment;
    this.#addressFile = join(deployment.directory, 'address');
  }

  static async make(): Promise<LanDeployment> {
    const directory = mkdtempSync(join(tmpdir(), 'oriel-lan-'));
    chmodSync(directory, 0o711);
    const deployment = new LanDeployment(
      await provision({ directory, host: NAME, port: PORT, source: 'test:' }),
    );
    handOver(deployment.parts as Deployment);
    try {
      await deployment.resolveTo(SERVER.v4);
      await deployment.startServer();
      return deployment;
    } catch (error) {
      await deployment.close();
      throw error;
    }
  }

  changeConfig(change: { readonly source: string; readonly lan: readonly string[] }): void {
    const path = join(this.parts.cameraDirectory, 'camera.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
  }

  /** What the resolver says from now on. */
  async resolveTo(address: string): Promise<void> {
    const known = existsSync(this.#addressFile);
    writeFileSync(this.#addressFile, address);
    if (known) return;
    const script = join(import.meta.dirname, 'resolver.ts');
    const resolver = this.lan.start(
      'server',
      [process.execPath, script, SERVER.v4, this.#addressFile],
      'pipe',
    );
    await once(resolver.stdout!, 'data');
  }

  async startServer(): Promise<void> {
    const { serverDirectory } = this.parts;
    const oriel = join(ORIEL_ROOT, 'oriel');
    const server = this.lan.start('server', [
      oriel,
      'server',
      'run',
      serverDirectory,
      '--address',
      '::',
      '--port',
      String(PORT),
    ]);
    this.#server = server;
    await serverRuns(serverDirectory, server);
  }

  async killServer(): Promise<void> {
    const server = this.#server!;
    const gone = exitOf(server);
    server.kill('SIGKILL');
    await gone;
  }

  /** Ends the server and starts it at another address of its place, which its name means from now on. */
  async moveServer(address: string): Promise<void> {
    await this.killServer();
    await this.resolveTo(address);
    this.lan.run('server', 'ip', 'addr', 'replace', `${address}/24`, 'dev', 'switch');
    await this.startServer();
  }

  /** Starts the camera at its place, its processes with users of their own. */
  startCamera(oriel: string, deployment: Provisioned = this.parts): RunningCamera {
    const before = [...this.lan.at('camera'), ...MINIMAL_ROOT];
    return new RunningCamera(deployment as Deployment, oriel, SEPARATED, before);
  }

  /** The same household with an empty directory for another camera, and what sets that up. */
  async blankCamera(oriel: string): Promise<BlankCamera> {
    const { directory, key, origin, pin, serverDirectory } = this.parts;
    const parts = { ...this.parts, cameraDirectory: join(directory, 'blank') };
    mkdirSync(parts.cameraDirectory);
    handOver(parts as Deployment);
    const code = join(directory, 'setup-code');
    const pairing = ['keys', 'pair', key, '--server', origin, '--pin', pin, '--out', code, '--json'];
    const { claim } = JSON.parse(await orielDoes(...pairing));
    const asAgent = ['setpriv', `--reuid=${AGENT.uid}`, `--regid=${CAPTURE.gid}`, '--clear-groups', '--'];
    const env = ['env', `ORIEL_SETUP_CODE=${readFileSync(code, 'utf8').trim()}`];
    const setup = [oriel, 'camera', 'setup', parts.cameraDirectory, '--source', 'test:'];
    return {
      parts,
      setUp: () => this.lan.run('camera', ...env, ...asAgent, ...setup),
      claim: () => orielDoes('server', 'camera', 'claim', serverDirectory, claim),
      accept: () => orielDoes('keys', 'accept', key, '--server-dir', serverDirectory),
    };
  }

  async close(): Promise<void> {
    await this.lan.close();
    rmSync(this.parts.directory, { recursive: true });
  }
}

/** Whether this machine lets us make networks: said once, in plain words, instead of by every test in its own. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new Error('this test makes network namespaces and users: run it as root');
  execFileSync('nmap', ['--version'], { stdio: 'ignore' });
}
