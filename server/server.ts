import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { isPossibleTime, systemClock } from '../host/clock.ts';
import { FOOTAGE_DIRECTORY } from '../wire/footage-layout.ts';
import { type Configuration, loadConfiguration } from './config.ts';
import { openControl } from './control/open-control.ts';
import { admit, ClaimThrottle } from './enrolment/admission.ts';
import { LastSeen } from './fleet/last-seen.ts';
import { TwinReport } from './fleet/twin-report.ts';
import { clientCertificateJudge } from './http/client-certificate.ts';
import { RefusalLog } from './http/refusal-log.ts';
import { CameraThrottle } from './http/throttles.ts';
import { type TlsClient, TlsServer } from './http/tls-server.ts';
import { type Meter, meteredDisk, NO_METER } from './metrics/meter.ts';
import { type MetricsServer, openMetricsServer } from './metrics/metrics-server.ts';
import type { Prometheus } from './metrics/prometheus.ts';
import { CameraAuthority } from './pki/camera-authority.ts';
import { loadTlsIdentity } from './pki/tls-identity.ts';
import { RESTORED, restoredFields } from './registry/origin-table.ts';
import type { Registry } from './registry/registry.ts';
import { openWithPatience, RegistryWrites } from './registry/registry-writes.ts';
import { watchRegistry } from './registry-watch.ts';
import { buildRouter } from './router.ts';
import { RunFile } from './run-file.ts';
import { limitsOf, type RunOptions } from './server-options.ts';
import { lockDirectory } from './storage/directory-lock.ts';
import { FootageDirectory } from './storage/footage-directory.ts';
import { snapshotKeeper } from './storage/snapshots.ts';
import { makeStore } from './storage/store.ts';
import { Usage } from './storage/usage.ts';
import { announceUpdates } from './updates/announce.ts';
import { type OpenedUpdates, openUpdates } from './updates/open-updates.ts';
import { Leases } from './upload/leases.ts';
import { Stopping } from './upload/routes.ts';

const DEFAULT_CERTIFICATE_DAYS = 14;

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
  let own: Registry | undefined;
  const release = async () => {
    await own?.close();
    lock.release();
  };
  try {
    const given = options.parts?.registry;
    if (given === undefined) own = await openWithPatience(options.directory, options.log);
    const built = await buildServer(options, configuration, (given ?? own) as Registry);
    return { ...built, stop: () => built.stop().then(release) };
  } catch (error) {
    await release();
    throw error;
  }
}

/** All of a server but its registry and the lock on its directory. */
async function buildServer(
  options: RunOptions,
  configuration: Configuration,
  registry: Registry,
): Promise<Running> {
  const { directory, disk, log, releaseTimeMs, clock = systemClock, parts = {} } = options;
  const limits = limitsOf(options);
  const restored = (await registry.origin.get())?.restored;
  if (restored !== undefined) log.warn(restoredFields(restored), RESTORED);
  const updates = await openUpdates(options);
  const now = isPossibleTime(clock.now(), releaseTimeMs) ? new Date(clock.now()) : undefined;
  if (now === undefined) log.warn({ code: 'CLOCK_WRONG' }, "the machine's clock is wrong: set it");
  const identity = await loadTlsIdentity(disk, directory, configuration, now, log);
  const prometheus = await prometheusOf(options);
  const meter = prometheus?.meter ?? NO_METER;
  const footage = parts.footage ?? (await openFootage(options, meter));
  const store = makeStore(footage, log);
  const usage = await Usage.open({
    footage,
    table: registry.usage,
    enrolled: () => registry.enrolled(),
    rules: limits.footage,
    clock,
    log,
  });
  const writes = new RegistryWrites(clock.monotonic);
  const twins = new TwinReport({ registry, writes, clock, log });
  const leases = new Leases();
  const lastSeen = new LastSeen();
  const authority = new CameraAuthority(
    async () => (await import('./pki/identity.ts')).readCameraAuthority(disk, directory),
    options.certificateDays ?? DEFAULT_CERTIFICATE_DAYS,
    releaseTimeMs,
  );
  const throttle = new ClaimThrottle(clock.monotonic);
  const certificates = new CameraThrottle(limits.rates.certificates, clock.monotonic);
  const admitted =
    parts.admit ?? ((client: TlsClient) => admit(client, (camera) => registry.standing(camera), clock.now()));
  const refusals = new RefusalLog(log, clock.monotonic);
  const snapshots = parts.snapshots ?? snapshotKeeper(store.snapshots, { usage, log, refusals });
  const { control, broker, health } = await openControl({
    registry,
    writes,
    admit: admitted,
    snapshots,
    twins,
    clock,
    log,
    quota: limits.control,
    limits: limits.broker,
    rules: parts.brokerRules,
  });
  const routes = buildRouter(
    {
      admit: admitted,
      enrolment: { registry, writes, authority, throttle, certificates, times: limits.enrolment, clock, log },
      uploads: { store, leases, limits: limits.upload, usage, meter, twins },
      lastSeen,
      updates: updates.repository,
      meter,
      rates: limits.rates,
    },
    log,
  );
  const judge = parts.judge ?? clientCertificateJudge(new X509Certificate(identity.cameraAuthority).raw);
  const tlsServer = new TlsServer(identity, judge, routes, log, limits.tls, broker);
  let metrics: MetricsServer | undefined;
  const runFile = new RunFile(disk, directory, log);
  let server: RunningServer;
  let stopWatching: () => Promise<void>;
  try {
    if (prometheus) metrics = await openMetrics(prometheus, { options, registry, usage, tlsServer, updates });
    const port = await tlsServer.listen(options.port ?? configuration.port, options.address);
    const { hosts, pin, backupPin } = configuration;
    server = {
      ...{ pid: process.pid, port, hosts, pin, backupPin },
      ...(options.updates !== undefined && { updates: options.updates }),
      ...(metrics && { metricsPort: metrics.port }),
    };
    await runFile.write(server);
    await updates.start(clock, (signal) => announceUpdates({ registry, writes, control, clock }, signal));
    stopWatching = watchRegistry({
      ...{ registry, tlsServer, lastSeen, health, usage, control, log, clock },
      changed: parts.changed,
    });
  } catch (error) {
    metrics?.close();
    tlsServer.close();
    await updates.stop();
    await tlsServer.disconnect();
    await broker.close();
    throw error;
  }
  return {
    server,
    async stop() {
      metrics?.close();
      tlsServer.close();
      // What it does with its disk just then may take long: uploads do not wait for it.
      const updatesOver = updates.stop();
      await leases.endAll(new Stopping('the server is going down'));
      await tlsServer.disconnect();
      await broker.close();
      refusals.close();
      await writes.settle();
      await stopWatching();
      await runFile.remove();
      await updatesOver;
    },
    open: () => ({ uploads: leases.count, ...tlsServer.connectionStats() }),
    removeRunFile: () => runFile.remove(),
  };
}

function openFootage({ directory, disk, log, clock = systemClock }: RunOptions, meter: Meter) {
  const metered = meter === NO_METER ? disk : meteredDisk(disk, meter, clock.monotonic);
  return FootageDirectory.open(metered, join(directory, FOOTAGE_DIRECTORY), log);
}

/** Loaded only where metrics are wanted. */
async function prometheusOf({ metricsPort }: RunOptions): Promise<Prometheus | undefined> {
  if (metricsPort === undefined) return undefined;
  return (await import('./metrics/prometheus.ts')).openPrometheus();
}

/** @throws ServerError ADDRESS_REFUSED. */
function openMetrics(
  prometheus: Prometheus,
  built: {
    readonly options: RunOptions;
    readonly registry: Registry;
    readonly usage: Usage;
    readonly tlsServer: TlsServer;
    readonly updates: OpenedUpdates;
  },
): Promise<MetricsServer> {
  const { options, registry, usage, tlsServer, updates } = built;
  const sources = {
    enrolled: () => registry.enrolled(),
    usage: (camera: string) => usage.of(camera),
    connectionStats: () => tlsServer.connectionStats(),
    freeBytes: () => options.disk.freeBytes(options.directory),
    updates: () => updates.state(),
  };
  return openMetricsServer(options.metricsPort ?? 0, prometheus.contentType, () =>
    prometheus.render(sources),
  );
}
