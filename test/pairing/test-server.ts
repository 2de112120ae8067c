import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CameraClock } from '../../agent/clock/camera-clock.ts';
import type { Enrolment } from '../../agent/pairing/enrolment.ts';
import { openPairing, type Pairing } from '../../agent/pairing/open-pairing.ts';
import type { PolicyPoll } from '../../agent/pairing/policy-poll.ts';
import { setupCamera } from '../../agent/pairing/setup-camera.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraState } from '../../agent/state/camera-state.ts';
import { type DeviceKey, loadDeviceKey } from '../../agent/state/device-key.ts';
import { PolicyWatch } from '../../agent/state/policy-watch.ts';
import { utf8 } from '../../crypto/bytes.ts';
import { parseClaim } from '../../crypto/claim.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeViewingKey, type ViewingKey } from '../../crypto/viewing-key.ts';
import { type Clock, systemClock } from '../../host/clock.ts';
import { DirectoryChanges } from '../../host/directory-changes.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { acceptCamera, type PreparedPairing, preparePairing } from '../../owner/pairing.ts';
import { type Configuration, loadConfiguration } from '../../server/config.ts';
import type { Log } from '../../server/log.ts';
import { initServer } from '../../server/pki/identity.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import { type Running, startServer } from '../../server/server.ts';
import { choice } from './code.ts';

const RELEASE = Date.parse('2026-11-21T00:00:00Z');
const LONGEST_SLEEP_MS = 20;

/** The machine's clock, in which no wait is long, and running time can be skipped. */
export class HastyClock implements Clock {
  #skippedMs = 0;
  now = () => systemClock.now();
  monotonic = () => systemClock.monotonic() + this.#skippedMs;
  sleep = (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, LONGEST_SLEEP_MS), signal);
  skip(ms: number): void {
    this.#skippedMs += ms;
  }
}

/** Waits until it is so. @throws after four minutes. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  for (const from = Date.now(); Date.now() - from < 240_000; await sleep(10)) {
    const found = await look();
    if (found !== undefined && found !== false) return found as T;
  }
  throw new Error(`it did not come to this: ${what}`);
}

const testServers = new Set<TestServer>();

/** Stops all that runs and removes it; for afterEach. */
export async function closeTestServers(): Promise<void> {
  for (const testServer of testServers) await testServer.close();
  testServers.clear();
}

/** An owner with a viewing key, a server of `oriel server init`, and cameras that are set up for it. */
export class TestServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-pairing-'));
  readonly serverDirectory = join(this.directory, 'server');
  readonly logged: { message: string; fields: Record<string, unknown> }[] = [];
  key!: ViewingKey;
  configuration!: Configuration;
  /** As a command has it open, beside the server's own. */
  registry!: Registry;
  #server: Running | undefined;
  readonly #cameras: CameraRun[] = [];

  static async open(): Promise<TestServer> {
    const testServer = new TestServer();
    testServers.add(testServer);
    testServer.key = await makeViewingKey('owner', new Uint8Array(randomBytes(32)), 3);
    const wish = { hosts: ['127.0.0.1'], port: 0, now: new Date() };
    await initServer(systemDisk, testServer.serverDirectory, wish);
    testServer.configuration = await loadConfiguration(systemDisk, testServer.serverDirectory);
    testServer.registry = await openRegistry(testServer.serverDirectory);
    await testServer.start();
    return testServer;
  }

  async start(clock: Clock = systemClock): Promise<void> {
    const record = (fields: object, message: string) => this.logged.push({ fields: { ...fields }, message });
    const log: Log = { debug: () => undefined, info: record, warn: record, error: record };
    const port = this.#server?.server.port ?? 0;
    const directory = this.serverDirectory;
    this.#server = await startServer({
      directory,
      port,
      address: '127.0.0.1',
      releaseTimeMs: RELEASE,
      disk: systemDisk,
      clock,
      log,
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  get origin(): string {
    return `https://127.0.0.1:${this.#server?.server.port}`;
  }

  /** Codes of refusals that the server has logged. */
  get refusals(): unknown[] {
    return this.logged.filter(({ message }) => message === 'refused').map(({ fields }) => fields.code);
  }

  /** Makes a setup code, as `oriel keys pair` does. */
  async pair(change: { nowMs?: number; server?: string; pins?: string[] } = {}): Promise<PreparedPairing> {
    const { pin, backupPin } = this.configuration;
    const { nowMs = Date.now(), server = this.origin, pins = [pin, backupPin] } = change;
    const prepared = await preparePairing(this.key, { server, pins, lifeSeconds: 3600, name: 'door' }, nowMs);
    this.key = prepared.key;
    return prepared;
  }

  async claim({ claim }: Pick<PreparedPairing, 'claim'>): Promise<void> {
    await this.registry.addClaim(parseClaim(claim), Date.now());
  }

  /** Accepts what waits for a camera, as `oriel keys accept` does. */
  async accept(camera: string, nowMs = Date.now()): Promise<void> {
    const pairing = (await this.registry.pairings()).find((each) => each.camera === camera);
    if (pairing === undefined) throw new Error(`no statement of ${camera}`);
    const accepted = await acceptCamera(this.key, pairing.statement, { audio: false, nowMs });
    this.key = accepted.key;
    await this.registry.putPolicy(accepted.camera, utf8(accepted.policyFile), nowMs);
  }

  /** Sets a camera up and runs the part of its agent that pairs. */
  async camera(code: string): Promise<CameraRun> {
    const directory = new CameraDirectory(join(this.directory, `camera-${this.#cameras.length}`));
    directory.make();
    await setupCamera(directory, systemDisk, code, choice);
    return this.run(directory);
  }

  /**
   * @param polls whether it asks for policies, and hears with each answer what time it is.
   * @param onTrial whether its release is on trial.
   * @param synchronised whether the kernel calls its clock so.
   */
  async run(
    directory: CameraDirectory,
    polls = true,
    disk = systemDisk,
    onTrial?: () => Promise<boolean>,
    synchronised?: () => boolean,
  ): Promise<CameraRun> {
    const camera = await CameraRun.start(directory, polls, disk, onTrial, synchronised);
    this.#cameras.push(camera);
    return camera;
  }

  /** Stops the cameras that run, all but one: each asks its server fifty times a second. */
  async stopCameras(but?: CameraRun): Promise<void> {
    for (const camera of this.#cameras) if (camera !== but) await camera.stop();
  }

  async close(): Promise<void> {
    await this.stopCameras();
    await this.stop();
    await this.registry.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The part of an agent that gets certificate and policy. */
export class CameraRun {
  readonly directory: CameraDirectory;
  readonly device: DeviceKey;
  readonly clock: HastyClock;
  /** What it makes of that and of the server's. */
  readonly time: CameraClock;
  readonly pairing: Pairing;
  readonly watch: PolicyWatch;
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;

  private constructor(
    parts: Pick<CameraRun, 'directory' | 'device' | 'clock' | 'time' | 'pairing' | 'watch'>,
    polls: boolean,
  ) {
    this.directory = parts.directory;
    this.device = parts.device;
    this.clock = parts.clock;
    this.time = parts.time;
    this.pairing = parts.pairing;
    this.watch = parts.watch;
    const { signal } = this.#stopping;
    this.#running = polls ? this.pairing.run(signal) : this.enrolment.run(signal);
  }

  static async start(
    directory: CameraDirectory,
    polls: boolean,
    disk: Disk,
    onTrial?: () => Promise<boolean>,
    synchronised?: () => boolean,
  ): Promise<CameraRun> {
    const quiet = () => undefined;
    const logger = { info: quiet, warn: quiet, error: quiet };
    const device = await loadDeviceKey(directory);
    const config = directory.readConfig();
    const machine = new HastyClock();
    const clock = await CameraClock.open({
      clock: machine,
      disk: systemDisk,
      path: directory.trustedTime,
      releaseTimeMs: RELEASE,
      synchronised,
    });
    const state = new CameraState(directory, disk);
    const identity = { camera: device.camera, owner: config.owner };
    const watch = new PolicyWatch(directory, state, identity, nodePrimitives);
    await watch.check().catch(quiet);
    const pairing = await openPairing({
      directory,
      disk,
      config,
      device,
      state,
      watch,
      onTrial,
      clock,
      changes: new DirectoryChanges(directory.path, machine),
      random: () => 0,
      logger,
    });
    return new CameraRun({ directory, device, clock: machine, time: clock, pairing, watch }, polls);
  }

  get enrolment(): Enrolment {
    return this.pairing.enrolment;
  }

  get poll(): PolicyPoll {
    return this.pairing.poll;
  }

  get camera(): string {
    return this.device.camera;
  }

  /** The code of what stands between the camera and a certificate. */
  troubled(code: string): Promise<unknown> {
    const look = () => this.enrolment.status.trouble?.code === code;
    return until(`${code}, not ${this.enrolment.status.trouble?.code}`, look);
  }

  enrolled(): Promise<string> {
    return until('the camera is enrolled', () => this.enrolment.certificate);
  }

  /** Waits for a policy from the server, and obeys it. */
  async obeys(counter: number): Promise<void> {
    for (const from = Date.now(); Date.now() - from < 240_000; await sleep(20)) {
      await this.watch.check().catch(() => undefined);
      if (this.watch.present && this.watch.inForce.policy.counter === counter) return;
    }
    throw new Error(`policy ${counter} did not come: ${this.poll.trouble?.code}`);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}
