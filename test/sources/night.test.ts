import { stampOf } from './faults.ts';
import { hangsUp, Night } from './night.ts';

const nightOf = (seed: number) => new Night(seed, 20, 1200);

test('the same seed makes the same night, another seed another', () => {
  expect(nightOf(7).episodes).toEqual(nightOf(7).episodes);
  expect(nightOf(8).episodes).not.toEqual(nightOf(7).episodes);
});

test('episodes stand one after the other, every kind of fault comes, and a long GOP begins with its keyframe', () => {
  const { episodes } = nightOf(7);
  expect(new Set(episodes.map(({ fault }) => fault.kind)).size).toBe(11);
  for (const [index, episode] of episodes.entries()) {
    expect(episode.from).toBe(episodes[index - 1]?.to ?? 0);
    if (episode.fault.kind === 'long-gop') expect(episode.from % 40).toBe(0);
  }
  expect(episodes.at(-1)?.to).toBeGreaterThanOrEqual(1200);
});

test('stamps go as time does, but where a fault says otherwise', () => {
  const night = nightOf(7);
  for (const { from, to, fault } of night.episodes) {
    const gone = night.at(to - 0.001).stamp - night.at(from).stamp;
    const wrong =
      (fault.kind === 'jump' ? fault.bySeconds : 0) +
      (fault.kind === 'wrong-rate' ? (fault.rate - 1) * 20 : 0);
    expect(gone).toBeCloseTo(to - from + wrong, 1);
    const blips = Array.from({ length: (to - from) * 10 }, (_, index) =>
      night.blipAt(from + index / 10, 0.1),
    );
    expect(blips.filter((blip) => blip !== 0)).toHaveLength(fault.kind === 'blip' ? 1 : 0);
  }
});

test.each([
  ['dies', 'connections'],
  ['busy', 'sessions'],
] as const)('%s: hangs up, and refuses %s for a while', (kind, refuses) => {
  const night = nightOf(7);
  const episode = night.episodes.find(({ fault }) => fault.kind === kind);
  if (episode === undefined) throw new Error('there is none');
  expect(hangsUp(episode)).toBe(true);
  expect(night.at(episode.from + 1).refuses).toBe(refuses);
  expect(night.at(episode.from + 9).refuses).toBe('nothing');
});

describe('stamps of a camera', () => {
  test.each<[string, Parameters<typeof stampOf>[0], readonly [index: number, stamp: number][]]>([
    [
      'that is right',
      {},
      [
        [0, 0],
        [25, 1],
        [75, 3],
      ],
    ],
    [
      'that claims another rate',
      { stampFps: 20 },
      [
        [0, 0],
        [20, 1],
        [60, 3],
      ],
    ],
    [
      'that jumps twice',
      {
        jumps: [
          { atSeconds: 1, bySeconds: 10 },
          { atSeconds: 2, bySeconds: -4 },
        ],
      },
      [
        [24, 0.96],
        [25, 11],
        [50, 8],
      ],
    ],
    [
      'with blips',
      { blip: { everySeconds: 1, bySeconds: -9 } },
      [
        [0, 0],
        [24, 0.96],
        [25, -8],
        [26, 1.04],
        [50, -7],
      ],
    ],
  ])('%s', (_, faults, stamps) => {
    expect(stamps.map(([index]) => [index, stampOf(faults, index, 25)])).toEqual(
      stamps.map(([index, stamp]) => [index, expect.closeTo(stamp, 9)]),
    );
  });
});
