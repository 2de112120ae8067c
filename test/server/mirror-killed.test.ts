import { MirrorKills } from './mirror-crashes.ts';

const kills = new MirrorKills();
beforeAll(() => kills.begin());
afterAll(() => kills.end());

test('[FC-54] killed on the way to a new edition, a mirror gives one whole edition, and the next check goes on', async () => {
  const { calls } = kills;
  const wanted = [
    /create .*partial/,
    /rename .*partial/,
    /rename .*snapshot/,
    /rename .*repository\/metadata\/timestamp/,
  ];
  const points = wanted.map((call) => calls.findIndex((line) => call.test(line)) + 1);
  expect(points.every((point) => point > 0)).toBe(true);
  const faults: string[] = [];
  for (const point of points) faults.push(...(await kills.tryPoint(point)));
  expect(faults).toEqual([]);
});
