import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Household } from '../../scripts/demonstration/household.ts';
import { orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { handOver, MINIMAL_ROOT, ORIEL_ROOT, RunningCamera, SEPARATED, until } from './household.ts';
import { Lan, SERVER } from './lan.ts';

/** The server's name, which only the network's own resolver knows. */
const NAME = 'oriel.test';
const PORT = '8443';

type Provisioned = Omit<Household, 'server'>;

/** A household whose camera and server are machines of their own. */
export class HomeOnLan {
  readonly lan = new Lan();
  readonly household: Provisioned;
  readonly #addressFile: string;
  #server: ChildProcess | undefined;

  private constructor(household: Provisioned) {
    this.household = household;
    this.#addressFile = join(household.directory, 'address');
  }

  static async make(): Promise<HomeOnLan> {
    const directory = mkdtempSync(join(tmpdir(), 'oriel-lan-'));
    chmodSync(directory, 0o711);
    const home = new HomeOnLan(await provision(directory));
    handOver(home.household as Household);
    await home.resolveTo(SERVER.v4);
    await home.startServer();
    return home;
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
    const { serverDirectory } = this.household;
    const oriel = join(ORIEL_ROOT, 'oriel');
    const server = this.lan.start('server', [
      oriel,
      'server',
      'run',
      serverDirectory,
      '--address',
      '::',
      '--port',
      PORT,
    ]);
    this.#server = server;
    const state = join(serverDirectory, 'run', 'server.json');
    await until('the server runs', () => {
      if (server.exitCode !== null) throw new Error('the server ended');
      return existsSync(state) && JSON.parse(readFileSync(state, 'utf8')).pid === server.pid;
    });
  }

  async killServer(): Promise<void> {
    const server = this.#server!;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }

  /** Starts the camera at its place, its processes with users of their own. */
  startCamera(oriel: string): RunningCamera {
    const before = [...this.lan.at('camera'), ...MINIMAL_ROOT];
    return new RunningCamera(this.household as Household, oriel, SEPARATED, before);
  }

  async close(): Promise<void> {
    await this.lan.close();
    rmSync(this.household.directory, { recursive: true });
  }
}

/** Makes key, server and camera as docs and README do by hand. */
async function provision(directory: string): Promise<Provisioned> {
  const key = join(directory, 'viewing.key');
  const serverDirectory = join(directory, 'server');
  const cameraDirectory = join(directory, 'camera');
  await orielDoes('keys', 'new', key, '--name', 'test');
  const { publicKey } = JSON.parse(await orielDoes('keys', 'show', key, '--json'));
  const made = await orielDoes('server', 'init', serverDirectory, '--host', NAME, '--json');
  const pins = [...new Set(made.match(/sha256\/[A-Za-z0-9+/]{43}=/g))];
  const origin = `https://${NAME}:${PORT}`;
  const wish = ['--server', origin, ...pins.flatMap((pin) => ['--pin', pin]), '--owner', publicKey];
  await orielDoes('camera', 'init', cameraDirectory, ...wish, '--source', 'test:');
  const [request, certificate] = ['request.pem', 'client.pem'].map((name) => join(cameraDirectory, name));
  const issued = await orielDoes(
    'server',
    'certify',
    serverDirectory,
    '--request',
    request!,
    '--out',
    certificate!,
  );
  const [cameraId = ''] = /[a-z2-7]{32}/.exec(issued) ?? [];
  const policy = join(cameraDirectory, 'policy.json');
  await orielDoes('keys', 'policy', key, '--camera', cameraId, '--name', 'test', '--out', policy);
  return { directory, key, serverDirectory, cameraDirectory, origin, pin: pins[0]!, cameraId };
}

/** Whether this machine lets us make networks: said once, in plain words, instead of by every test in its own. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new Error('this test makes network namespaces and users: run it as root');
  execFileSync('nmap', ['--version'], { stdio: 'ignore' });
}
