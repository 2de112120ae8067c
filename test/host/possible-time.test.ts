import fc from 'fast-check';
import { BUILD_LIFE_MS, isPossibleTime } from '../../host/clock.ts';
import { presentTime, requirePast } from '../../ota/release/present-time.ts';
import { releaseTimeMs } from '../../ota/version.ts';

const RELEASE = Date.UTC(2026, 10, 21);

describe('[FC-12] what lasts is made by no clock that is certainly wrong', () => {
  test.each([
    ['1970', 0, false],
    ['a second before the release', RELEASE - 1000, false],
    ['the release', RELEASE, true],
    ['a month later', RELEASE + 30 * 86_400_000, true],
    ['nine years later', Date.UTC(2035, 10, 21), true],
    ['2037', Date.UTC(2037, 0, 1), false],
    ['2^31 seconds', 2 ** 31 * 1000, false],
    ['2099', Date.UTC(2099, 0, 1), false],
    ['no number', Number.NaN, false],
  ])('%s [TM-25]', (_name, nowMs, possible) => {
    expect(isPossibleTime(nowMs, RELEASE)).toBe(possible);
    if (possible) expect(presentTime(nowMs, RELEASE)).toBe(nowMs);
    else {
      const refusal = expect.objectContaining({
        code: 'CLOCK_WRONG',
        message: expect.stringContaining('date -u -s'),
      });
      expect(() => presentTime(nowMs, RELEASE)).toThrow(refusal);
    }
  });

  test('a release that is no time lets no time through', () => {
    expect(isPossibleTime(RELEASE, Number.NaN)).toBe(false);
  });

  test('what is possible is so for one span, which begins with the release', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e13, max: 1e13 }), (offset) => {
        expect(isPossibleTime(RELEASE + offset, RELEASE)).toBe(offset >= 0 && offset < BUILD_LIFE_MS);
      }),
    );
  });

  test('a time to be signed has passed, but for a day by which the clocks of a maker may differ', () => {
    const past = (time: string) => () => requirePast('release 1', time, RELEASE);
    expect(past('2026-11-21T23:00:00Z')).not.toThrow();
    for (const time of ['2026-11-23T00:00:00Z', '2099-01-01T00:00:00Z', '2026-02-30T00:00:00Z', '']) {
      expect(past(time)).toThrow(expect.objectContaining({ code: 'CLOCK_WRONG' }));
    }
  });

  test('this build knows its release, and this machine’s clock is possible', () => {
    expect(Number.isSafeInteger(releaseTimeMs())).toBe(true);
    expect(presentTime()).toBeGreaterThan(releaseTimeMs());
  });
});
