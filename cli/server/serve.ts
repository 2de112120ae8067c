import { setTimeout as sleep } from 'node:timers/promises';
import { endNow } from '../../host/processes.ts';
import type { Log } from '../../server/log.ts';
import type { Running, RunningServer } from '../../server/server.ts';
import { EXIT } from '../exit-codes.ts';
import { ENDING_SIGNALS, outliveReaders, stopSignal } from '../signals.ts';

/** From the first signal to the end of the process, whatever still goes on: a container's engine kills after ten seconds. */
const DEADLINE_MS = 8_000;
/** How long a disk that does not answer may hold up the end after that. */
const RUN_FILE_MS = 500;

export interface Serving {
  readonly start: () => Promise<Running>;
  readonly log: Log;
  readonly listening: (server: RunningServer) => void;
  /** {@link DEADLINE_MS} otherwise. */
  readonly deadlineMs?: number;
}

/**
 * Runs a server until SIGTERM, SIGINT or SIGHUP, and ends it in order; what hangs then is said, and ends with the process
 * at the deadline. A second signal ends it at once. Signals are heeded from the start on, so that who reads that it
 * listens can stop it at once.
 * @throws as startServer.
 */
export async function serve({ start, log, listening, deadlineMs = DEADLINE_MS }: Serving): Promise<void> {
  outliveReaders();
  let running: Running | undefined;
  const removeRunFile = () => Promise.race([running?.removeRunFile(), sleep(RUN_FILE_MS)]);
  const signal = stopSignal(ENDING_SIGNALS, removeRunFile);
  signal.addEventListener('abort', () => {
    const late = async () => {
      const open = running?.open() ?? 'it had not started';
      log.error({ open, afterMs: deadlineMs }, 'it did not end in order, and ends as it is');
      await removeRunFile();
      await endNow(EXIT.failure);
    };
    setTimeout(() => void late(), deadlineMs).unref();
  });
  running = await start();
  log.info({ ...running.server }, 'listening');
  listening(running.server);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  log.info({ signal: (signal.reason as Error).message }, 'stopping');
  await running.stop();
  log.info({}, 'stopped');
  // A connection whose handshake never ends would hold the process up.
  await endNow(EXIT.ok);
}
