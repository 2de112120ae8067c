import { jest } from '@jest/globals';
import { watchRegistry } from '../../server/registry-watch.ts';
import { ManualClock } from '../faults/manual-clock.ts';

test('a registry that cannot be written is told of once, not each second, and when it can again', async () => {
  jest.useFakeTimers();
  const said: string[] = [];
  const say = (_fields: object, message: string) => void said.push(message);
  const clock = new ManualClock();
  let full = true;
  const stop = watchRegistry({
    registry: { changedElsewhere: async () => false } as never,
    tlsServer: { disconnectCameras: () => undefined },
    lastSeen: { write: async () => undefined } as never,
    health: {
      async write() {
        if (full) throw new Error('database or disk is full');
      },
    } as never,
    control: { pollRequests: () => undefined },
    log: { debug: say, info: say, warn: say, error: say },
    clock,
  });
  await jest.advanceTimersByTimeAsync(20_000);
  expect(said).toEqual(['registry failed']);
  full = false;
  await jest.advanceTimersByTimeAsync(20_000);
  expect(said).toEqual(['registry failed', 'registry works again']);
  await stop();
  jest.useRealTimers();
});
