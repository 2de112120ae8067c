import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../host/clock.ts';
import { isBusy } from '../../server/registry/database.ts';
import { RegistryWrites } from '../../server/registry/registry-writes.ts';
import type { RequestRecord } from '../../server/registry/request-table.ts';
import { announceUpdates } from '../../server/updates/announce.ts';
import { makeCamera } from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';
import { cameraAuthority, enrol } from './test-server.ts';

test('[FC-03] cameras are told of updates once another process lets go of the registry, and once', async () => {
  const room = mkdtempSync(join(tmpdir(), 'oriel-announce-'));
  const path = join(room, 'registry.db');
  const registry = memoryRegistry(path);
  const holder = new DatabaseSync(path);
  try {
    const camera = makeCamera(cameraAuthority);
    await enrol(registry, camera);
    holder.exec('BEGIN IMMEDIATE');
    let refused = 0;
    const requests = {
      get: (id: string) => registry.requests.get(id),
      async add(...asked: readonly Omit<RequestRecord, 'sentAtMs' | 'reply'>[]) {
        try {
          await registry.requests.add(...asked);
        } catch (error) {
          refused += Number(isBusy(error));
          if (refused === 2) holder.exec('COMMIT');
          throw error;
        }
      },
    };
    const told: number[] = [];
    const options = {
      registry: { enrolled: () => registry.enrolled(), requests },
      writes: new RegistryWrites(systemClock.monotonic),
      control: { pollRequests: () => void told.push(1) },
      clock: { ...systemClock, sleep: async () => undefined },
    };
    await announceUpdates(options, new AbortController().signal);
    expect([refused, told]).toEqual([2, [1]]);
    expect((await registry.requests.open(Date.now())).map((each) => each.camera)).toEqual([camera.id]);
  } finally {
    holder.close();
    await registry.close();
    rmSync(room, { recursive: true });
  }
});
