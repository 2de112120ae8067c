import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentStatus } from '../../agent/status/status.ts';
import type { FootageReport } from '../../footage/report.ts';
import { type Done, does } from './command.ts';
import { Composition, findCompose } from './compose.ts';
import { type CameraExtras, composition, FLEET, lineOf } from './composition.ts';
import type { Engine } from './engine.ts';
import { SimulationError } from './errors.ts';
import { type Film, filmOf } from './films.ts';
import type { Images } from './images.ts';
import { until } from './wait.ts';

export interface FleetOptions {
  readonly engine: Engine;
  readonly images: Images;
  /** Where compose.yaml lies. */
  readonly root: string;
  readonly cameras: number;
  /** Of the server's disk, which is in memory; on the machine's disk if not given. */
  readonly serverDiskBytes: number | undefined;
  readonly signal: AbortSignal;
}

/** One camera of the fleet. */
export interface Camera {
  /** The name of its service, its line, and its folder. */
  readonly name: string;
  readonly film: Film;
  /** Camera id; empty until it is set up. */
  id: string;
  /** How often it was killed without warning. */
  kills: number;
  /** Whether the server lets it in no more. */
  revoked: boolean;
}

/** The disk of each camera: small, so that it can be filled. */
const CAMERA_DISK_BYTES = 64 * 1024 ** 2;
const SPOOL_LIMITS = ['--spool-bytes', '32M', '--keep-free', '1M'];
/** A person's user has these files, or, for root, one that nobody has. */
const [UID, GID] = process.getuid?.() === 0 ? [61201, 61201] : [process.getuid?.(), process.getgid?.()];
const SERVER_ORIGIN = 'https://server:8443';
const VIEWING_KEY = `${FLEET}/owner/viewing.key`;
export const SERVER_DIRECTORY = `${FLEET}/server`;
/** Node in the images of the Dockerfile. */
export const NODE_IN_IMAGE = '/opt/oriel/bin/node';
const NO_MEDIA = 128 * 1024 ** 2;

/** A household in containers: a server, its owner, and cameras. */
export class Fleet {
  readonly cameras: readonly Camera[];
  readonly signal: AbortSignal;
  readonly #wish: FleetOptions;
  readonly #name = `oriel-${process.pid}-${Math.floor(Math.random() * 0xffff).toString(16)}`;
  readonly #room = mkdtempSync(join(tmpdir(), 'oriel-fleet-'));
  readonly #composition: Composition;
  /** What a camera has beyond the others, by its name. */
  readonly #extras = new Map<string, CameraExtras>();

  private constructor(wish: FleetOptions, compose: readonly string[]) {
    const { engine, root, cameras, signal } = wish;
    this.#wish = wish;
    this.signal = signal;
    this.cameras = Array.from({ length: cameras }, (_, index) => ({
      name: `camera-${index + 1}`,
      film: filmOf(index),
      id: '',
      kills: 0,
      revoked: false,
    }));
    const file = join(this.#room, 'compose.json');
    mkdirSync(this.updates);
    this.#composition = new Composition(engine, compose, root, this.#name, file);
  }

  /** Makes the household and sets its cameras up; they run when it resolves. */
  static async open(wish: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(wish, await findCompose());
    try {
      await fleet.#makeVolumes();
      await fleet.#openServer();
      await fleet.#pairCameras();
      return fleet;
    } catch (cause) {
      await fleet.close();
      throw cause;
    }
  }

  /** Clears all of it away, whatever state it is in. */
  async close(): Promise<void> {
    const ours = ['--quiet', '--filter', `label=com.docker.compose.project=${this.#name}`];
    const containers = lines(await this.docker('ps', '--all', ...ours));
    if (containers.length > 0) await this.docker('rm', '--force', '--volumes', ...containers);
    const networks = lines(await this.docker('network', 'ls', ...ours));
    if (networks.length > 0) await this.docker('network', 'rm', ...networks);
    await this.docker('volume', 'rm', '--force', ...this.#volumes());
    rmSync(this.#room, { recursive: true, force: true });
  }

  /** A directory of this machine's, cleared away with the fleet. */
  get room(): string {
    return this.#room;
  }

  /** A directory of this machine's for a maker's repository, which the server passes on. */
  get updates(): string {
    return join(this.#room, 'updates');
  }

  /** Gives what lies in a directory of this machine's to the user of all these files. */
  async own(directory: string): Promise<void> {
    if (process.getuid?.() === 0) await does(['chown', '-R', `${UID}:${GID}`, directory]);
  }

  get images(): Images {
    return this.#wish.images;
  }

  /** `docker ARGS`. */
  docker(...args: readonly string[]): Promise<string> {
    return this.#wish.engine.docker(...args);
  }

  /** The container of a service. */
  container(service: string): Promise<string> {
    return this.#idOf(service);
  }

  /** Starts cameras that do not run, and waits until they record. */
  async startCameras(cameras: readonly Camera[] = this.cameras): Promise<void> {
    await this.#composition.up(...cameras.map(({ name }) => name));
    await Promise.all(cameras.map((camera) => this.records(camera)));
  }

  /** Waits until a camera seals video of the present. */
  async records(camera: Camera): Promise<void> {
    const recording = ({ state, capturedSeconds }: AgentStatus) => state === 'running' && capturedSeconds > 0;
    await until(
      `${camera.name} records`,
      async () => {
        const status = await this.status(camera);
        return status !== undefined && Date.now() - status.writtenMs < 5000 && recording(status.status);
      },
      { signal: this.signal, patienceMs: 90_000 },
    );
  }

  /** Ends cameras in good order: they upload what they can in ten seconds, and spool the rest. */
  async stopCameras(): Promise<void> {
    const running = await Promise.all(this.cameras.map(({ name }) => this.container(name)));
    await this.docker('stop', '--time', '60', ...running);
  }

  /** What a camera says of itself, and when the file was written by this machine's clock, ms since 1970. */
  async status({ name }: Camera): Promise<{ status: AgentStatus; writtenMs: number } | undefined> {
    const path = `${FLEET}/${name}/run/status.json`;
    const { code, stdout } = await this.#owner('sh', '-c', `stat -c %Y ${path} && cat ${path}`);
    const [written = '', text = ''] = stdout.split('\n');
    if (code !== 0 || !text.endsWith('}')) return undefined;
    return { status: JSON.parse(text) as AgentStatus, writtenMs: Number(written) * 1000 };
  }

  /** The last word of every camera. @throws SimulationError COMMAND_FAILED for one that has said nothing. */
  async statuses(): Promise<ReadonlyMap<Camera, AgentStatus>> {
    const entries = this.cameras.map(async (camera) => {
      const seen = await this.status(camera);
      if (seen === undefined)
        throw new SimulationError('COMMAND_FAILED', `${camera.name} says nothing of itself`);
      return [camera, seen.status] as const;
    });
    return new Map(await Promise.all(entries));
  }

  /** What `oriel footage verify` makes of everything that the server has. */
  async footage(): Promise<FootageReport> {
    const { stdout, stderr } = await this.oriel(
      'footage',
      'verify',
      SERVER_DIRECTORY,
      '--key',
      VIEWING_KEY,
      '--json',
    );
    if (!stdout.startsWith('{')) throw new SimulationError('COMMAND_FAILED', `footage verify: ${stderr}`);
    return JSON.parse(stdout) as FootageReport;
  }

  /** `oriel` on the owner's machine, which can reach into all directories. */
  oriel(...args: readonly string[]): Promise<Done> {
    return this.#owner('oriel', ...args);
  }

  /** `oriel` where the server runs: only there is it seen to run. Its directory is /server. */
  async orielAtServer(...args: readonly string[]): Promise<Done> {
    return this.#wish.engine.try(['exec', await this.container('server'), 'oriel', ...args]);
  }

  async orielDoes(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.oriel(...args);
    if (code === 0) return stdout;
    throw new SimulationError(
      'COMMAND_FAILED',
      `oriel ${args.join(' ')} ended with ${code}: ${stderr || stdout}`,
    );
  }

  /** Runs a shell line as the user of all these files, where all directories are under /fleet. */
  async shell(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.#owner('sh', '-c', line);
    if (code === 0) return stdout;
    throw new SimulationError('COMMAND_FAILED', `${line} ended with ${code}: ${stderr}`);
  }

  /** The name of the network between a camera and the server. */
  lineOf({ name }: Camera): string {
    return `${this.#name}_${lineOf(name)}`;
  }

  /** Starts a camera anew with something of its own. */
  async remake(camera: Camera, extras: CameraExtras): Promise<void> {
    this.willBe(camera, extras);
    await this.#composition.up(camera.name);
  }

  /** What a camera has of its own when it is started next; undefined: nothing. */
  willBe({ name }: Camera, extras: CameraExtras | undefined): void {
    if (extras === undefined) this.#extras.delete(name);
    else this.#extras.set(name, extras);
    this.#compose();
  }

  async serverRuns(): Promise<void> {
    await until(
      'the server runs',
      async () => {
        const health = 'exec 3<>/dev/tcp/127.0.0.1/8443';
        return (
          (await this.#wish.engine.try(['exec', await this.container('server'), 'bash', '-c', health]))
            .code === 0
        );
      },
      { signal: this.signal },
    );
  }

  /** Leaves the footage, the viewing key and the cameras' directories in `directory`. */
  async keep(directory: string): Promise<void> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await this.docker('cp', `${await this.container('owner')}:${FLEET}/.`, directory);
  }

  async #owner(...words: readonly string[]): Promise<Done> {
    return this.#wish.engine.try(['exec', await this.container('owner'), ...words]);
  }

  readonly #ids = new Map<string, string>();

  async #idOf(service: string): Promise<string> {
    const known = this.#ids.get(service);
    if (known !== undefined) return known;
    const labels = [`project=${this.#name}`, `service=${service}`];
    const filters = labels.flatMap((label) => ['--filter', `label=com.docker.compose.${label}`]);
    const [id = ''] = (await this.docker('ps', '--all', '--quiet', ...filters)).split('\n');
    if (id === '') throw new SimulationError('COMMAND_FAILED', `there is no container of ${service}`);
    if (!service.startsWith('camera-')) this.#ids.set(service, id);
    return id;
  }

  #volumeOf = (what: string) => `${this.#name}-${what}`;

  #volumes(): string[] {
    return ['owner', 'server', ...this.cameras.map(({ name }) => name)].map(this.#volumeOf);
  }

  /** Disks of their own, each with a size, in memory: a full one is filled, and emptied again, in an instant. */
  async #makeVolumes(): Promise<void> {
    const { serverDiskBytes } = this.#wish;
    await this.#makeVolume('owner', NO_MEDIA);
    await this.#makeVolume('server', serverDiskBytes);
    for (const { name } of this.cameras) await this.#makeVolume(name, CAMERA_DISK_BYTES);
  }

  async #makeVolume(what: string, bytes: number | undefined): Promise<void> {
    const memory = { type: 'tmpfs', device: 'tmpfs', o: `size=${bytes},uid=${UID},gid=${GID},mode=0700` };
    const disk = bytes === undefined ? this.#diskOf(what) : memory;
    const options = Object.entries(disk).flatMap(([key, value]) => ['--opt', `${key}=${value}`]);
    await this.docker('volume', 'create', ...options, this.#volumeOf(what));
  }

  /** A directory of this machine's. */
  #diskOf(what: string) {
    const device = join(this.#room, what);
    mkdirSync(device, { mode: 0o700 });
    if (UID !== undefined && GID !== undefined) chownSync(device, UID, GID);
    return { type: 'none', device, o: 'bind' };
  }

  #compose(): void {
    const { images, root } = this.#wish;
    const content = composition({
      pattern: readFileSync(join(root, 'compose.yaml'), 'utf8'),
      images,
      cameras: this.cameras.map(({ name }) => ({
        name,
        volume: this.#volumeOf(name),
        ...this.#extras.get(name),
      })),
      serverVolume: this.#volumeOf('server'),
      ownerVolume: this.#volumeOf('owner'),
      user: `${UID}:${GID}`,
      clips: this.cameras.find(({ film }) => film.clips !== undefined)?.film.clips,
      updates: this.updates,
    });
    // A dollar sign would begin the name of a variable.
    const text = JSON.stringify(content, null, 2).replaceAll('$', '$$$$');
    writeFileSync(join(this.#room, 'compose.json'), text);
  }

  async #openServer(): Promise<void> {
    this.#compose();
    await this.#composition.up('owner');
    await this.orielDoes('keys', 'new', VIEWING_KEY, '--name', 'simulation');
    await this.orielDoes('server', 'init', SERVER_DIRECTORY, '--host', 'server', '--json');
    await this.#composition.up('server');
    await this.serverRuns();
  }

  /** Pairs every camera as people do: setup code, claim, set-up, enrolment, acceptance. */
  async #pairCameras(): Promise<void> {
    const { pin, backupPin } = JSON.parse(await this.shell(`cat ${SERVER_DIRECTORY}/run/server.json`));
    for (const camera of this.cameras) {
      const { name, film } = camera;
      const code = `${FLEET}/owner/${name}.code`;
      const pins = ['--pin', pin, '--pin', backupPin];
      const naming = ['--name', name, '--out', code, '--json'];
      const paired = await this.orielDoes(
        'keys',
        'pair',
        VIEWING_KEY,
        '--server',
        SERVER_ORIGIN,
        ...pins,
        ...naming,
      );
      const { claim } = JSON.parse(paired) as { claim: string };
      await this.orielDoes('server', 'camera', 'claim', SERVER_DIRECTORY, claim);
      const choice = ['--code', code, '--source', film.source, ...SPOOL_LIMITS];
      const made = await this.orielDoes('camera', 'setup', `${FLEET}/${name}`, ...choice);
      camera.id = /[a-z2-7]{32}/.exec(made)?.[0] ?? '';
    }
    await this.#composition.up(...this.cameras.map(({ name }) => name));
    for (const { name } of this.cameras) {
      const enrolled = `${FLEET}/${name}/client.pem`;
      const look = async () => (await this.#owner('test', '-e', enrolled)).code === 0;
      await until(`${name} has a certificate`, look, { signal: this.signal, patienceMs: 150_000 });
    }
    await this.orielDoes('keys', 'accept', VIEWING_KEY, '--server-dir', SERVER_DIRECTORY);
    await Promise.all(this.cameras.map((camera) => this.records(camera)));
  }
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '');
