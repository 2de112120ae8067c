import type { Clock } from '../host/clock.ts';
import type { Control } from './control/control.ts';
import type { HealthBuffer } from './fleet/health-buffer.ts';
import type { LastSeen } from './fleet/last-seen.ts';
import { FailureLog } from './http/failure-log.ts';
import type { TlsServer } from './http/tls-server.ts';
import type { Log } from './log.ts';
import type { Registry } from './registry/registry.ts';
import type { Usage } from './storage/usage.ts';

/** How often a running server looks whether a command has changed the registry, ms. */
const LOOK_MS = 500;
/** How often it writes down who was here, ms. */
const SIGHTINGS_MS = 10_000;
/** How often it writes down how they are, ms. */
const HEALTH_MS = 1_000;

export interface Watched {
  readonly registry: Registry;
  readonly tlsServer: Pick<TlsServer, 'disconnectCameras'>;
  readonly lastSeen: LastSeen;
  readonly health: HealthBuffer;
  readonly usage?: Usage;
  readonly control: Pick<Control, 'pollRequests'>;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Whether a command has written; the registry tells, unless this is given. */
  readonly changed?: (() => Promise<boolean>) | undefined;
}

/** Carries out what commands write into the registry, and writes down who was here and how they are. Returns its end. */
export function watchRegistry(watched: Watched): () => Promise<void> {
  const { registry, tlsServer, lastSeen, health, usage, control, log, clock } = watched;
  const changed = watched.changed ?? (() => registry.changedElsewhere());
  /** Does it, once at a time, and says when that begins to fail and when it is over. */
  const attempting = (work: () => Promise<void>) => {
    const failures = new FailureLog('registry', log, () => clock.monotonic());
    let running: Promise<void> | undefined;
    const attempt = async () => {
      try {
        await work();
        failures.worked();
      } catch (error) {
        failures.failed({ err: error });
      } finally {
        running = undefined;
      }
    };
    return () => {
      running ??= attempt();
      return running;
    };
  };
  const pollRequests = attempting(async () => {
    if (!(await changed())) return;
    const revoked = new Set(await registry.revoked());
    tlsServer.disconnectCameras((camera) => revoked.has(camera));
    control.pollRequests();
  });
  const writeLastSeen = attempting(async () => {
    await lastSeen.write((seen) => registry.see(seen));
    await usage?.write();
  });
  const writeHealth = attempting(() => health.write());
  void writeHealth();
  const timers = [
    setInterval(() => void pollRequests(), LOOK_MS),
    setInterval(() => void writeLastSeen(), SIGHTINGS_MS),
    setInterval(() => void writeHealth(), HEALTH_MS),
  ];
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await writeLastSeen();
    await writeHealth();
  };
}
