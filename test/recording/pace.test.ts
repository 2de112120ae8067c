import { beginPace, take } from '../../agent/recording/run-clock.ts';

const MIB = 1024 * 1024;

describe('[FC-24] how fast a stream is taken', () => {
  test.each([
    ['what any camera films', 0, 1000, 20 * MIB, 120, 0],
    ['a burst after a pause', 0, 0, 128 * MIB, 0, 0],
    ['more than a burst', 0, 0, 160 * MIB, 0, 1000],
    ['tiny fragments without end', 0, 0, MIB, 4096, 4032],
    ['after a long silence no more than a burst', 0, 3_600_000, 160 * MIB, 0, 1000],
  ])('%s', (_, fromMs, nowMs, bytes, fragments, waitMs) => {
    const { waitMs: waits } = take(beginPace(fromMs), nowMs, bytes, fragments);
    expect(Math.abs(waits - waitMs)).toBeLessThanOrEqual(32);
  });

  test('over a minute of a flood no more than a burst and the rate is taken [TM-30]', () => {
    let pace = beginPace(0);
    let taken = 0;
    for (let now = 0; now < 60_000; ) {
      const { waitMs, ...next } = take(pace, now, 256 * 1024, 1300);
      pace = next;
      taken += 1300;
      now += waitMs;
    }
    expect(taken).toBeLessThan(64 * 512 + 4 * 512);
  });
});
