import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { FootageReport } from '../../footage/report.ts';

export const ORIEL = resolve(import.meta.dirname, '../../oriel');
const START_TIMEOUT_MS = 20_000;

const runServer = (directory: string, port: number) =>
  spawn(ORIEL, ['server', 'run', directory, '--address', '127.0.0.1', '--port', String(port)], {
    stdio: 'ignore',
  });
/** Runs `oriel` to its end. @returns what it prints. @throws Error unless it exits with 0. */
export const oriel = (...args: string[]) => execFileSync(ORIEL, args, { encoding: 'utf8' });

/** As `oriel`, while this process goes on with what it does beside. */
export const orielMeanwhile = (...args: string[]) => promisify(execFile)(ORIEL, args);

/** A server at work, its owner, and the cameras certified by it: all made by the commands that a person would use. */
export class TestServer {
  readonly #directory: string;
  #server: ChildProcess;
  readonly #pin: string;
  readonly #owner: string;
  readonly #ids = new Map<string, string>();

  private constructor(directory: string, server: ChildProcess, pin: string, owner: string) {
    this.#directory = directory;
    this.#server = server;
    this.#pin = pin;
    this.#owner = owner;
  }

  static async open(directory: string): Promise<TestServer> {
    const server = join(directory, 'server');
    oriel('keys', 'new', join(directory, 'owner.key'));
    const { publicKey } = JSON.parse(oriel('keys', 'show', join(directory, 'owner.key'), '--json'));
    const { pin } = JSON.parse(oriel('server', 'init', server, '--host', '127.0.0.1', '--json'));
    const testServer = new TestServer(directory, runServer(server, 0), pin, publicKey);
    await testServer.#started();
    return testServer;
  }

  /** Key and certificate of the server and its authorities, PEM files: for a peer that is to have the like. */
  get identity() {
    const file = (name: string) => join(this.#directory, 'server/identity', name);
    return {
      key: file('server.key'),
      certificate: file('server.pem'),
      serverAuthority: file('server-ca.pem'),
      cameraAuthority: file('camera-ca.pem'),
    };
  }

  /** The directory that the server stores in. */
  get footage(): string {
    return join(this.#directory, 'server/footage');
  }

  /** The repository of releases that the server passes on. */
  get updates(): string {
    return join(this.#directory, 'server/updates');
  }

  get origin(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return JSON.parse(readFileSync(this.#state, 'utf8')).port;
  }

  /** Of the server's process. */
  get pid(): number {
    return JSON.parse(readFileSync(this.#state, 'utf8')).pid;
  }

  /** Takes the server away; `start` brings it back where it was. */
  async stop(): Promise<() => Promise<void>> {
    const port = this.port;
    await this.close();
    return async () => {
      this.#server = runServer(join(this.#directory, 'server'), port);
      await this.#started();
    };
  }

  /** A new camera that records the file, ready to run; returns its directory. @param origin where it finds the server. */
  makeCamera(video: string, origin = this.origin): string {
    const camera = join(this.#directory, `camera-${this.#ids.size}`);
    const made = oriel(
      ...['camera', 'init', camera, '--source', `file:${video}`, '--owner', this.#owner],
      ...['--server', origin, '--pin', this.#pin],
    );
    const [, id = ''] = /^camera id +(\S+)$/m.exec(made) ?? [];
    this.#ids.set(camera, id);
    const server = join(this.#directory, 'server');
    const [request, certificate] = [join(camera, 'request.pem'), join(camera, 'client.pem')];
    oriel('server', 'certify', server, '--request', request, '--out', certificate);
    oriel(
      'keys',
      'policy',
      join(this.#directory, 'owner.key'),
      '--camera',
      id,
      '--out',
      join(camera, 'policy.json'),
    );
    return camera;
  }

  /** `oriel server camera ask`. @param camera its directory. */
  async ask(camera: string, request: string): Promise<void> {
    const id = this.#ids.get(camera) ?? '';
    await orielMeanwhile('server', 'camera', 'ask', join(this.#directory, 'server'), id, request);
  }

  /** What `oriel footage verify` finds. */
  verify(): FootageReport {
    const options = ['--key', join(this.#directory, 'owner.key'), '--json'];
    return JSON.parse(oriel('footage', 'verify', join(this.#directory, 'server'), ...options));
  }

  async close(): Promise<void> {
    if (this.#server.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#server.once('exit', resolve));
    this.#server.kill('SIGTERM');
    await gone;
  }

  get #state(): string {
    return join(this.#directory, 'server/run/server.json');
  }

  async #started(): Promise<void> {
    for (const end = performance.now() + START_TIMEOUT_MS; !existsSync(this.#state); ) {
      if (performance.now() > end) throw new Error('the server does not start');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
