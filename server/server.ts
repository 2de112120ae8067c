import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { type Clock, systemClock } from '../host/clock.ts';
import type { Disk } from '../host/disk.ts';
import { isPossibleTime } from '../host/possible-time.ts';
import { type Configuration, loadConfiguration } from './config.ts';
import { openControl } from './control/open-control.ts';
import { admit } from './enrolment/admission.ts';
import { ClaimThrottle } from './enrolment/claim-throttle.ts';
import { ENROLMENT_TIMES } from './enrolment/routes.ts';
import { Sightings } from './fleet/last-seen.ts';
import { TwinReport } from './fleet/twin-report.ts';
import { CAMERA_RATES, CameraThrottle } from './http/camera-throttle.ts';
import { clientJudge } from './http/client-certificate.ts';
import { RefusalLog } from './http/refusal-log.ts';
import { GATE_LIMITS, Gate, type GateClient } from './http/tls-server.ts';
import type { Log } from './log.ts';
import { meteredDisk, NO_METER } from './metrics/meter.ts';
import { type MetricsDoor, openMetricsDoor } from './metrics/metrics-server.ts';
import type { Prometheus } from './metrics/prometheus.ts';
import { CameraAuthority } from './pki/camera-authority.ts';
import { loadGateIdentity } from './pki/tls-identity.ts';
import type { Registry } from './registry/registry.ts';
import { watchRegistry } from './registry/registry-watch.ts';
import { openWithPatience, RegistryWrites } from './registry/registry-writes.ts';
import { RESTORED, restoredFields } from './registry/restored-notice.ts';
import { gateRoutes } from './router.ts';
import { RunFile } from './run-file.ts';
import { lockDirectory } from './storage/directory-lock.ts';
import { FOOTAGE_QUOTA } from './storage/footage-quota.ts';
import { snapshotKeeper } from './storage/snapshots.ts';
import { openStore } from './storage/store.ts';
import { Usage } from './storage/usage.ts';
import { announceUpdates } from './updates/announce.ts';
import { type OpenedUpdates, openUpdates } from './updates/open-updates.ts';
import { Leases } from './upload/leases.ts';
import { Stopping } from './upload/routes.ts';
import { UPLOAD_LIMITS } from './upload/upload.ts';

const DEFAULT_CERTIFICATE_DAYS = 14;

export interface RunOptions {
  readonly directory: string;
  /** Listen there; the configuration's port and every address otherwise. Port 0 leaves it to the system. */
  readonly port?: number | undefined;
  readonly address?: string | undefined;
  /** How long the cameras' certificates are valid; 14 days otherwise. */
  readonly certificateDays?: number | undefined;
  /** Footage of one camera, bytes; without a bound of its own otherwise. */
  readonly cameraQuota?: number | undefined;
  /** Directory of the update repository, or address of the maker's; `updates` in the server's own otherwise. */
  readonly updates?: string | undefined;
  /** File with the root of a maker that is followed. */
  readonly updatesRoot?: string | undefined;
  /** Path of the root of the installation that the program runs from. */
  readonly installationRoot?: string | undefined;
  /** Serve metrics there, on loopback; nowhere otherwise. Port 0 leaves it to the system. */
  readonly metricsPort?: number | undefined;
  /** When this program was released, ms since 1970: a clock before it is wrong. */
  readonly releaseTimeMs: number;
  readonly clock?: Clock;
  readonly disk: Disk;
  readonly log: Log;
}

/** A server that runs; also what `run/server.json` says of it, for other processes. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  readonly hosts: readonly string[];
  readonly pin: string;
  readonly backupPin: string;
  /** What `--updates` names. */
  readonly updates?: string;
  /** Of metrics, on 127.0.0.1. */
  readonly metricsPort?: number;
}

export interface Running {
  readonly server: RunningServer;
  /** Ends it once what was received is durable. */
  stop(): Promise<void>;
  /** What still goes on, for a log. */
  open(): object;
  /** Removes `run/server.json`, which stop does last. */
  removeRunFile(): Promise<void>;
}

/** Starts a server. @throws ServerError, HostError. */
export async function startServer(options: RunOptions): Promise<Running> {
  const configuration = await loadConfiguration(options.disk, options.directory);
  const lock = await lockDirectory(options.directory);
  let registry: Registry | undefined;
  try {
    registry = await openWithPatience(options.directory, options.log);
    const house = await openHouse(options, configuration, registry);
    return { ...house, stop: () => house.stop().then(() => lock.release()) };
  } catch (error) {
    registry?.close();
    lock.release();
    throw error;
  }
}

/** All of a server but the lock on its directory. */
async function openHouse(
  options: RunOptions,
  configuration: Configuration,
  registry: Registry,
): Promise<Running> {
  const { directory, disk, log, releaseTimeMs, clock = systemClock } = options;
  const restored = registry.origin.get()?.restored;
  if (restored !== undefined) log.warn(restoredFields(restored), RESTORED);
  const updates = await openUpdates(options);
  const footage = join(directory, 'footage');
  const now = isPossibleTime(clock.now(), releaseTimeMs) ? new Date(clock.now()) : undefined;
  if (now === undefined) log.warn({ code: 'CLOCK_WRONG' }, "the machine's clock is wrong: set it");
  const identity = await loadGateIdentity(disk, directory, configuration, now, log);
  const prometheus = await prometheusOf(options);
  const meter = prometheus?.meter ?? NO_METER;
  const store = await openStore(prometheus ? meteredDisk(disk, meter, clock.monotonic) : disk, footage, log);
  const usage = new Usage({
    disk,
    root: footage,
    table: registry.usage,
    enrolled: () => registry.enrolled(),
    rules: { ...FOOTAGE_QUOTA, cameraBytes: options.cameraQuota },
    clock,
    log,
  });
  const writes = new RegistryWrites(clock.monotonic);
  const twins = new TwinReport({ registry, writes, clock, log });
  const leases = new Leases();
  const sightings = new Sightings();
  const authority = new CameraAuthority(
    async () => (await import('./pki/identity.ts')).readCameraAuthority(disk, directory),
    options.certificateDays ?? DEFAULT_CERTIFICATE_DAYS,
    releaseTimeMs,
  );
  const throttle = new ClaimThrottle(clock.monotonic);
  const certificates = new CameraThrottle(CAMERA_RATES.certificates, clock.monotonic);
  const admitted = (client: GateClient) => admit(client, (camera) => registry.standing(camera), clock.now());
  const refusals = new RefusalLog(log, clock.monotonic);
  const snapshots = snapshotKeeper(store.snapshots, { usage, log, refusals });
  const { control, broker, health } = await openControl({
    registry,
    writes,
    admit: admitted,
    snapshots,
    twins,
    clock,
    log,
  });
  const routes = gateRoutes(
    {
      admit: admitted,
      enrolment: { registry, writes, authority, throttle, certificates, times: ENROLMENT_TIMES, clock, log },
      uploads: { store, leases, limits: UPLOAD_LIMITS, usage, meter, twins },
      sightings,
      updates: updates.repository,
      meter,
    },
    log,
  );
  const judge = clientJudge(new X509Certificate(identity.cameraAuthority).raw);
  const gate = new Gate(identity, judge, routes, log, GATE_LIMITS, broker);
  let door: MetricsDoor | undefined;
  const runFile = new RunFile(disk, directory, log);
  let server: RunningServer;
  let stopWatching: () => void;
  try {
    if (prometheus) door = await openDoor(prometheus, { options, registry, usage, gate, updates });
    const port = await gate.listen(options.port ?? configuration.port, options.address);
    const { hosts, pin, backupPin } = configuration;
    server = {
      ...{ pid: process.pid, port, hosts, pin, backupPin },
      ...(options.updates !== undefined && { updates: options.updates }),
      ...(door && { metricsPort: door.port }),
    };
    await runFile.write(server);
    await updates.start(clock, (signal) => announceUpdates({ registry, writes, control, clock }, signal));
    stopWatching = watchRegistry({ registry, gate, sightings, health, usage, control, log, clock });
  } catch (error) {
    door?.close();
    gate.close();
    await updates.stop();
    await gate.disconnect();
    await broker.close();
    throw error;
  }
  return {
    server,
    async stop() {
      door?.close();
      gate.close();
      // What it does with its disk just then may take long: uploads do not wait for it.
      const updatesOver = updates.stop();
      await leases.endAll(new Stopping('the server is going down'));
      await gate.disconnect();
      await broker.close();
      refusals.close();
      await writes.settle();
      stopWatching();
      registry.close();
      await runFile.remove();
      await updatesOver;
    },
    open: () => ({ uploads: leases.count, ...gate.census() }),
    removeRunFile: () => runFile.remove(),
  };
}

/** Loaded only where metrics are wanted. */
async function prometheusOf({ metricsPort }: RunOptions): Promise<Prometheus | undefined> {
  if (metricsPort === undefined) return undefined;
  return (await import('./metrics/prometheus.ts')).openPrometheus();
}

/** @throws ServerError ADDRESS_REFUSED. */
function openDoor(
  prometheus: Prometheus,
  house: {
    readonly options: RunOptions;
    readonly registry: Registry;
    readonly usage: Usage;
    readonly gate: Gate;
    readonly updates: OpenedUpdates;
  },
): Promise<MetricsDoor> {
  const { options, registry, usage, gate, updates } = house;
  const sources = {
    enrolled: () => registry.enrolled(),
    usage: (camera: string) => usage.of(camera),
    census: () => gate.census(),
    freeBytes: () => options.disk.freeBytes(options.directory),
    updates: () => updates.state(),
  };
  return openMetricsDoor(options.metricsPort ?? 0, prometheus.contentType, () => prometheus.render(sources));
}
