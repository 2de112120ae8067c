import { randomBytes } from 'node:crypto';
import type { Clock } from '../../host/clock.ts';
import type { RequestOf } from '../../wire/control-requests.ts';
import type { Control } from '../control/control.ts';
import type { Registry } from '../registry/registry.ts';
import type { RegistryWrites } from '../registry/registry-writes.ts';
import type { RequestTable } from '../registry/request-table.ts';

const REQUEST: RequestOf<'server'> = 'refresh';
/** How long a camera that is away is still told when it comes, ms: after it, it has checked by itself. */
const DEADLINE_MS = 6 * 3_600_000;
/** Cameras told at a time, and the pause after them, ms: five hundred do not all fetch in the same second. */
const BATCH = 10;
const PAUSE_MS = 1_000;
/** A camera that has just checked is busy for five seconds, and may have missed what is new. */
const BUSY_MS = 6_000;
const ROUNDS = 3;
/** How long it waits for the registry, ms: as long as a command may hold it. */
const WRITE_WAIT_MS = 60_000;

export interface AnnounceOptions {
  readonly registry: Pick<Registry, 'enrolled'> & { readonly requests: Pick<RequestTable, 'add' | 'get'> };
  readonly writes: Pick<RegistryWrites, 'write'>;
  readonly control: Pick<Control, 'pollRequests'>;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
}

/** Asks every enrolled camera to check for updates now. @throws as Database and RegistryWrites do; the signal's reason. */
export async function announceUpdates(options: AnnounceOptions, signal: AbortSignal): Promise<void> {
  const { registry, clock } = options;
  signal.throwIfAborted();
  let cameras: readonly string[] = await registry.enrolled();
  for (let round = 0; round < ROUNDS && cameras.length > 0; round++) {
    const asked = await askEach(options, cameras, signal);
    await clock.sleep(BUSY_MS, signal);
    const busy: string[] = [];
    for (const { id, camera } of asked) {
      if ((await registry.requests.get(id))?.reply?.code === 'BUSY') busy.push(camera);
    }
    cameras = busy;
  }
}

async function askEach(
  { registry, writes, control, clock }: AnnounceOptions,
  cameras: readonly string[],
  signal: AbortSignal,
): Promise<{ id: string; camera: string }[]> {
  const asked: { id: string; camera: string }[] = [];
  for (let at = 0; at < cameras.length; at += BATCH) {
    if (at > 0) await clock.sleep(PAUSE_MS, signal);
    const askedAtMs = clock.now();
    const requests = cameras.slice(at, at + BATCH).map((camera) => ({
      id: randomBytes(8).toString('hex'),
      camera,
      request: REQUEST,
      askedAtMs,
      deadlineMs: askedAtMs + DEADLINE_MS,
    }));
    await writes.write(() => registry.requests.add(...requests), WRITE_WAIT_MS);
    signal.throwIfAborted();
    control.pollRequests();
    asked.push(...requests);
  }
  return asked;
}
