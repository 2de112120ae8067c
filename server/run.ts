import { join } from 'node:path';
import { utf8 } from '../crypto/bytes.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { cameraRoutes, Stopping } from './camera-routes.ts';
import { loadConfiguration } from './configuration.ts';
import { lockDirectory } from './directory-lock.ts';
import { Gate } from './gate.ts';
import { loadGateIdentity } from './gate-identity.ts';
import { Leases } from './leases.ts';
import type { Log } from './log.ts';
import { openStore } from './store.ts';
import { UPLOAD_LIMITS } from './upload.ts';

export interface RunOptions {
  readonly directory: string;
  /** Listen there; the configuration's port and every address otherwise. Port 0 leaves it to the system. */
  readonly port?: number | undefined;
  readonly address?: string | undefined;
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

/**
 * Starts a server; `stop` ends it once what was received is durable.
 * @throws ServerError, HostError.
 */
export async function startServer(
  options: RunOptions,
): Promise<{ readonly server: RunningServer; stop(): Promise<void> }> {
  const { directory, disk, log } = options;
  const configuration = await loadConfiguration(disk, directory);
  const lock = await lockDirectory(directory);
  const identity = await loadGateIdentity(disk, directory, configuration, new Date());
  const store = await openStore(disk, join(directory, 'footage'), log);
  const leases = new Leases();
  const gate = new Gate(identity, cameraRoutes({ store, leases, limits: UPLOAD_LIMITS }, log), log);
  const port = await gate.listen(options.port ?? configuration.port, options.address);
  const { hosts, pin, backupPin } = configuration;
  const server: RunningServer = { pid: process.pid, port, hosts, pin, backupPin };
  const state = join(directory, 'run', 'server.json');
  await disk.makeDirectory(join(directory, 'run'), 0o700);
  await writeFileAtomic(disk, state, utf8(`${JSON.stringify(server)}\n`), 0o600);
  return {
    server,
    async stop() {
      gate.close();
      await leases.endAll(new Stopping('the server is going down'));
      gate.disconnect();
      await disk.unlink(state);
      lock.close();
    },
  };
}
