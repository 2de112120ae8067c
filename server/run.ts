import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { utf8 } from '../crypto/bytes.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { type Clock, systemClock } from '../host/clock.ts';
import type { Disk } from '../host/disk.ts';
import { admit } from './admission.ts';
import { CameraAuthority } from './camera-authority.ts';
import { Stopping } from './camera-routes.ts';
import { ClaimThrottle } from './claim-throttle.ts';
import { clientJudge } from './client.ts';
import { type Configuration, loadConfiguration } from './configuration.ts';
import { openControl } from './control-door.ts';
import { lockDirectory } from './directory-lock.ts';
import { ENROLMENT_TIMES } from './enrolment-routes.ts';
import { GATE_LIMITS, Gate, type GateClient } from './gate.ts';
import { loadGateIdentity } from './gate-identity.ts';
import { gateRoutes } from './gate-routes.ts';
import { Leases } from './leases.ts';
import type { Log } from './log.ts';
import { openRegistry, type Registry } from './registry.ts';
import { watchRegistry } from './registry-watch.ts';
import { Sightings } from './sightings.ts';
import { loggedStills } from './stills.ts';
import { openStore } from './store.ts';
import { UPLOAD_LIMITS } from './upload.ts';

const DEFAULT_CERTIFICATE_DAYS = 14;

export interface RunOptions {
  readonly directory: string;
  /** Listen there; the configuration's port and every address otherwise. Port 0 leaves it to the system. */
  readonly port?: number | undefined;
  readonly address?: string | undefined;
  /** How long the cameras' certificates are valid; 14 days otherwise. */
  readonly certificateDays?: number | undefined;
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
}

export interface Running {
  readonly server: RunningServer;
  /** Ends it once what was received is durable. */
  stop(): Promise<void>;
}

/** Starts a server. @throws ServerError, HostError. */
export async function startServer(options: RunOptions): Promise<Running> {
  const configuration = await loadConfiguration(options.disk, options.directory);
  const lock = await lockDirectory(options.directory);
  let registry: Registry | undefined;
  try {
    registry = openRegistry(options.directory);
    const house = await openHouse(options, configuration, registry);
    return { server: house.server, stop: () => house.stop().then(() => void lock.close()) };
  } catch (error) {
    registry?.close();
    lock.close();
    throw error;
  }
}

/** All of a server but the lock on its directory. */
async function openHouse(
  options: RunOptions,
  configuration: Configuration,
  registry: Registry,
): Promise<Running> {
  const { directory, disk, log, clock = systemClock } = options;
  const identity = await loadGateIdentity(disk, directory, configuration, new Date());
  const store = await openStore(disk, join(directory, 'footage'), log);
  const leases = new Leases();
  const sightings = new Sightings();
  const authority = new CameraAuthority(
    async () => (await import('./identity.ts')).readCameraAuthority(disk, directory),
    options.certificateDays ?? DEFAULT_CERTIFICATE_DAYS,
  );
  const throttle = new ClaimThrottle(clock.monotonic);
  const admitted = (client: GateClient) => admit(client, (camera) => registry.standing(camera), clock.now());
  const stills = loggedStills(store.stills, log);
  const { control, broker, health } = await openControl({ registry, admit: admitted, stills, clock, log });
  const routes = gateRoutes(
    {
      admit: admitted,
      enrolment: { registry, authority, throttle, times: ENROLMENT_TIMES, clock, log },
      uploads: { store, leases, limits: UPLOAD_LIMITS },
      sightings,
    },
    log,
  );
  const judge = clientJudge(new X509Certificate(identity.cameraAuthority).raw);
  const gate = new Gate(identity, judge, routes, log, GATE_LIMITS, broker);
  const port = await gate.listen(options.port ?? configuration.port, options.address).catch(async (error) => {
    await broker.close();
    throw error;
  });
  const { hosts, pin, backupPin } = configuration;
  const server: RunningServer = { pid: process.pid, port, hosts, pin, backupPin };
  const state = join(directory, 'run', 'server.json');
  await disk.makeDirectory(join(directory, 'run'), 0o700);
  await writeFileAtomic(disk, state, utf8(`${JSON.stringify(server)}\n`), 0o600);
  const stopWatching = watchRegistry({ registry, gate, sightings, health, control, log });
  return {
    server,
    async stop() {
      gate.close();
      await leases.endAll(new Stopping('the server is going down'));
      await gate.disconnect();
      await broker.close();
      stopWatching();
      registry.close();
      await disk.unlink(state);
    },
  };
}
