import fc from 'fast-check';
import { type Candidate, chooseRelease, isDrawn, judgeRelease, type Rollout } from '../../ota/rollout.ts';

const SEED = '00112233445566778899aabbccddeeff';
const PLACE = 'a358ef1b';
const release: Rollout = {
  product: 'oriel',
  version: '2.0.0',
  counter: 20,
  hardware: ['linux-x64', 'board-a'],
  released: '2026-11-21T00:00:00Z',
  percentage: 100,
  seed: SEED,
  halt: false,
  minimum: '1.0.0',
  severity: 'none',
  advisories: [],
};
const candidate: Candidate = {
  camera: 'abcdefghijklmnopqrstuvwxyz234567',
  product: 'oriel',
  hardware: 'linux-x64',
  version: '1.5.0',
  counter: 15,
  minimum: '1.0.0',
  failed: [],
};

test.each<[string, Partial<Rollout>, Partial<Candidate>, string]>([
  ['newer', {}, {}, 'install'],
  ['of another product', { product: 'toaster' }, {}, 'PRODUCT_FOREIGN'],
  ['for other hardware', {}, { hardware: 'linux-arm64' }, 'HARDWARE_FOREIGN'],
  ['for one of several boards', {}, { hardware: 'board-a' }, 'install'],
  ['what runs', {}, { version: '2.0.0', counter: 20 }, 'VERSION_CURRENT'],
  ['older by version', { version: '1.4.9' }, {}, 'VERSION_DOWNGRADE'],
  ['older by counter', { counter: 14 }, {}, 'VERSION_DOWNGRADE'],
  ['newer with the counter that runs', { counter: 15 }, {}, 'VERSION_DOWNGRADE'],
  ['the version that runs with a higher counter', { version: '1.5.0' }, {}, 'VERSION_DOWNGRADE'],
  ['ten after nine', { version: '1.10.0' }, { version: '1.9.0' }, 'install'],
  ['nine after ten', { version: '1.9.0' }, { version: '1.10.0' }, 'VERSION_DOWNGRADE'],
  ['a prerelease of what runs', { version: '1.5.0-rc.1' }, {}, 'VERSION_DOWNGRADE'],
  ['the release of a prerelease that runs', {}, { version: '2.0.0-rc.1' }, 'install'],
  ['rc.10 after rc.9', { version: '2.0.0-rc.10' }, { version: '2.0.0-rc.9' }, 'install'],
  ['below the minimum', {}, { minimum: '2.0.1' }, 'VERSION_BELOW_MINIMUM'],
  ['the minimum itself', {}, { minimum: '2.0.0' }, 'install'],
  ['what failed here', {}, { failed: [20] }, 'VERSION_FAILED'],
  ['halted', { halt: true }, {}, 'ROLLOUT_HALTED'],
  ['for nobody yet', { percentage: 0 }, {}, 'ROLLOUT_WAITING'],
  ['halted and for other hardware', { halt: true, hardware: ['x'] }, {}, 'HARDWARE_FOREIGN'],
  ['halted and what runs', { halt: true }, { version: '2.0.0', counter: 20 }, 'VERSION_CURRENT'],
])('a release %s', (_, releaseChanges, candidateChanges, judgement) => {
  const judged = judgeRelease({ ...release, ...releaseChanges }, { ...candidate, ...candidateChanges });
  expect(judged).toBe(judgement);
});

describe('of several releases', () => {
  const list = ['1.9.0', '2.0.0', '1.10.0'].map((version, index) => ({
    ...release,
    version,
    counter: 20 + index,
  }));

  test('the newest is taken, and of each is said why not', () => {
    expect(chooseRelease(list, candidate).install?.version).toBe('2.0.0');
    const halted = list.map((one) => ({ ...one, halt: one.version === '2.0.0' }));
    const { install, judged } = chooseRelease(halted, candidate);
    expect(install?.version).toBe('1.10.0');
    expect(judged.map(({ judgement }) => judgement)).toEqual(['install', 'ROLLOUT_HALTED', 'install']);
  });

  test('none may fit', () => {
    expect(chooseRelease(list, { ...candidate, version: '3.0.0', counter: 99 }).install).toBeUndefined();
    expect(chooseRelease([], candidate).install).toBeUndefined();
  });
});

describe('the draw', () => {
  const cameras = Array.from({ length: 2_000 }, (_, index) => `camera-${index}`);
  const drawn = (percentage: number, seed = SEED) =>
    cameras.filter((camera) => isDrawn({ seed, percentage }, camera));

  test('takes about as many as it says: nobody at 0, everybody at 100', () => {
    expect(drawn(0)).toEqual([]);
    expect(drawn(100)).toEqual(cameras);
    expect(drawn(10).length / cameras.length).toBeGreaterThan(0.07);
    expect(drawn(10).length / cameras.length).toBeLessThan(0.13);
  });

  test('takes other cameras by another seed, and the same by the same', () => {
    expect(drawn(50)).toEqual(drawn(50));
    expect(drawn(50)).not.toEqual(drawn(50, SEED.replace('0', '1')));
  });

  test('leaves none out that was in when the percentage rises', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ max: 100, min: 0 }),
        fc.integer({ max: 100, min: 0 }),
        (id, a, b) => {
          const [low, high] = a < b ? [a, b] : [b, a];
          if (isDrawn({ seed: SEED, percentage: low }, id)) {
            expect(isDrawn({ seed: SEED, percentage: high }, id)).toBe(true);
          }
        },
      ),
    );
  });

  test('is the one that docs/design/updates.md describes', () => {
    // SHA-256 of "00112233445566778899aabbccddeeff\ncamera-0" begins with these four bytes.
    const place = (Number.parseInt(PLACE, 16) / 2 ** 32) * 100;
    expect(isDrawn({ seed: SEED, percentage: place }, 'camera-0')).toBe(false);
    expect(isDrawn({ seed: SEED, percentage: place + 1e-6 }, 'camera-0')).toBe(true);
  });
});
