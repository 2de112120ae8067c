import { MirrorKills } from '../server/mirror-crashes.ts';

const kills = new MirrorKills();
beforeAll(() => kills.begin());
afterAll(() => kills.end());

test('[FC-54] killed before any call that changes the disk, a mirror gives one whole edition, and the next check goes on', async () => {
  const faults: string[] = [];
  for (let point = 1; point <= kills.calls.length; point++) faults.push(...(await kills.tryPoint(point)));
  expect(faults).toEqual([]);
  console.log(`a mirror was killed at ${kills.calls.length} points`);
}, 1_800_000);
