import fc from 'fast-check';
import {
  type Arrival,
  arrive,
  beginRunClock,
  credibleUs,
  filmedMs,
  isGoingOn,
  leapIn,
  type RunClock,
} from '../../agent/recording/run-clock.ts';

/** What a camera films in real time: fragments of five frames at 25 a second, each here 50 ms after its end. */
interface Filmed {
  /** Real milliseconds. */
  readonly atMs: number;
  readonly mediaMs: number;
  readonly durationMs: number;
  readonly samples: number;
}
const FRAGMENT_MS = 200;
const DELAY_MS = 50;

function* filming(seconds: number, rate = 1, fromMs = 0): Generator<Filmed> {
  for (let ms = 0; ms < seconds * 1000; ms += FRAGMENT_MS) {
    const durationMs = FRAGMENT_MS * rate;
    yield { atMs: fromMs + ms + FRAGMENT_MS + DELAY_MS, mediaMs: fromMs + ms * rate, durationMs, samples: 5 };
  }
}

const arrival = ({ atMs, mediaMs, durationMs, samples }: Filmed): Arrival => ({
  atMs,
  decodeTimeUs: mediaMs * 1000,
  durationUs: durationMs * 1000,
  samples,
});

/** @returns the clock after all of it, and what was wrong first and when, real ms. */
function watch(stream: Iterable<Filmed>, live = true) {
  let clock: RunClock | undefined;
  for (const each of stream) {
    if (clock === undefined) {
      clock = beginRunClock(live, arrival(each));
      continue;
    }
    const next = arrive(clock, arrival(each));
    if (next.fault !== undefined) return { clock, fault: next.fault, atMs: each.atMs };
    clock = next.clock;
  }
  return { clock: clock as RunClock, fault: undefined, atMs: undefined };
}

/** From a second on, all of it stamped off by so much. */
const stampedOff = (stream: Iterable<Filmed>, fromMs: number, byMs: number) =>
  [...stream].map((each) => (each.atMs < fromMs ? each : { ...each, mediaMs: each.mediaMs + byMs }));

/** What a network holds up for a while and then lets through at once. */
const heldUp = (stream: Iterable<Filmed>, fromMs: number, forMs: number) =>
  [...stream].map((each) =>
    each.atMs < fromMs || each.atMs > fromMs + forMs ? each : { ...each, atMs: fromMs + forMs },
  );

describe('time that is true', () => {
  const DAY = 86_400;
  test.each<[string, Iterable<Filmed>]>([
    ['a minute', filming(60)],
    ['a crystal that is 200 ppm off, for an hour', filming(3600, 1.0002)],
    ['and slow, for a day', filming(DAY, 0.9998)],
    ['a network that holds up 3.9 s', heldUp(filming(60), 20_000, 3900)],
    ['one that does so at the beginning', heldUp(filming(60), 400, 1000)],
    [
      'one frame in five seconds',
      [0, 1, 2, 3, 4, 5].map((n) => ({
        atMs: n * 5000 + 5050,
        mediaMs: n * 5000,
        durationMs: 5000,
        samples: 1,
      })),
    ],
    [
      'sound alone in between, of earlier times',
      [...filming(5), { atMs: 5100, mediaMs: 4000, durationMs: 0, samples: 0 }, ...filming(5, 1, 5000)],
    ],
    ['a camera that pauses for 3 s, and says so', [...filming(10), ...filming(10, 1, 13_000)]],
  ])('%s', (_, stream) => {
    expect(watch(stream).fault).toBeUndefined();
  });

  test('a file has a time of its own', () => {
    expect(watch(filming(20, 3), false).fault).toBeUndefined();
  });
});

describe('time that is not', () => {
  test.each<[string, Iterable<Filmed>, string, number]>([
    ['[FC-62] leaps a minute ahead', stampedOff(filming(20), 5000, 60_000), 'jump', 200],
    ['leaps two seconds ahead', stampedOff(filming(20), 5000, 2000), 'jump', 200],
    ['goes back', stampedOff(filming(20), 5000, -3000), 'jump', 200],
    ['[FC-63] is stamped 25 at 20 frames a second', filming(24, 0.8), 'rate', 5500],
    ['is stamped 20 at 25', filming(24, 1.25), 'rate', 5500],
    ['is 10 % slow', filming(24, 0.9), 'rate', 9500],
    ['is 4 % slow', filming(120, 0.96), 'rate', 90_000],
    ['is 2 % slow', filming(300, 0.98), 'rate', 200_000],
    ['is 1 % fast', filming(600, 1.01), 'rate', 400_000],
  ])('%s', (_, stream, fault, withinMs) => {
    const found = watch(stream);
    expect(found.fault).toBe(fault);
    expect((found.atMs ?? 0) - (fault === 'jump' ? 5000 : 0)).toBeLessThanOrEqual(withinMs);
  });

  test('[FC-62] stands still while pictures come, as ffmpeg squeezes what goes back', () => {
    const squeezed = { atMs: 7250, mediaMs: 5000, durationMs: 1, samples: 50 };
    expect(watch([...filming(5), squeezed]).fault).toBe('jump');
    const fromTheStart = [0, 2000].map((atMs) => ({ ...squeezed, atMs, mediaMs: 0 }));
    expect(watch(fromTheStart).fault).toBe('jump');
  });

  test('falls behind for good', () => {
    const late = [...filming(40)].map((each) =>
      each.atMs < 10_000 ? each : { ...each, atMs: each.atMs + 2500 },
    );
    expect(watch(late)).toMatchObject({ fault: 'rate' });
  });
});

describe('in what comes at once', () => {
  /** All at one time. @param lengths of fragments, ms; five samples each. */
  const burst = (...lengths: number[]) =>
    lengths.map((durationMs, n) => arrival({ atMs: 1000, mediaMs: n * 200, durationMs, samples: 5 }));
  const slow = [0, 5000, 10_000].map((mediaMs) =>
    arrival({ atMs: 1000, mediaMs, durationMs: 5000, samples: 1 }),
  );
  test.each([
    ['five seconds that were read ahead', burst(...Array.from({ length: 25 }, () => 200)), undefined],
    ['a pause of 2 s', burst(200, 200, 2200, 200), undefined],
    ['one frame in five seconds', slow, undefined],
    ['nothing', [], undefined],
    ['[FC-62] a leap of a minute', burst(200, 200, 60_200, 200), 2],
    ['a leap of 4 s at its beginning', burst(4200, 200, 200), 0],
    [
      '[FC-62] many pictures in no time',
      [...burst(200), arrival({ atMs: 1000, mediaMs: 200, durationMs: 1, samples: 28 })],
      1,
    ],
  ])('%s', (_, arrivals, leap) => {
    expect(leapIn(arrivals)).toBe(leap);
  });

  test('a fragment is not believed to last longer than time went by, but for what a run may be ahead', () => {
    const each = arrival({ atMs: 5000, mediaMs: 0, durationMs: 2e6, samples: 1 });
    expect(credibleUs(each, 4800)).toBe(3_200_000);
    expect(credibleUs({ ...each, durationUs: 200_000 }, 5000)).toBe(200_000);
  });
});

describe('when it was filmed', () => {
  test('[FC-71] by the least delay, however late a fragment comes', () => {
    const { clock } = watch(heldUp(filming(20), 10_000, 3900));
    expect(filmedMs(clock, 12_000_000)).toBeCloseTo(12_000 + DELAY_MS);
  });

  test.each([
    ['of what came at its pace', { atMs: 1340, mediaMs: 1000, samples: 5 }, 140],
    ['but of no sound, whose time is another', { atMs: 1340, mediaMs: 1100, samples: 0 }, 200],
    ['nor of what came before that', { atMs: 900, mediaMs: 600, samples: 5 }, 200],
  ])('from the first picture on by the least delay %s', (_, each, delayMs) => {
    const burst = [each, { atMs: 1600, mediaMs: 1200, samples: 5 }].map((filmed) =>
      arrival({ ...filmed, durationMs: 200 }),
    );
    expect(filmedMs(beginRunClock(true, burst.at(-1) as Arrival, burst), 0)).toBe(delayMs);
  });

  test('in one line as long as the least delay wavers by hundredths of a second, and by it once it is less by more', () => {
    const lessBy = (byMs: number) =>
      [...filming(20)].map((each) => (each.atMs < 5000 ? each : { ...each, atMs: each.atMs - byMs }));
    expect(filmedMs(watch(lessBy(40)).clock, 0)).toBeCloseTo(DELAY_MS);
    expect(filmedMs(watch(lessBy(60)).clock, 0)).toBeCloseTo(DELAY_MS - 60);
  });

  test.each([1.0002, 0.9998])(
    'within 0.1 s of it after an hour of a crystal that runs %d as fast',
    (rate) => {
      const { clock } = watch(filming(3600, rate));
      expect(Math.abs(filmedMs(clock, 3600 * rate * 1e6) - (3_600_000 + DELAY_MS))).toBeLessThan(100);
    },
  );

  test('of a file by its own time from the start on, however slowly it is played', () => {
    const { clock } = watch(filming(20, 0.5), false);
    expect(filmedMs(clock, 8_000_000)).toBeCloseTo(8000 + FRAGMENT_MS / 2 + DELAY_MS);
  });

  test('whatever the delays of up to 0.4 s: within the least of them, and never backwards within a window', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { minLength: 10, maxLength: 100 }), (delays) => {
        let last = 0;
        const stream = delays.map((delay, n) => {
          last = Math.max(last, (n + 1) * FRAGMENT_MS + delay);
          return { atMs: last, mediaMs: n * FRAGMENT_MS, durationMs: FRAGMENT_MS, samples: 5 };
        });
        const { clock, fault } = watch(stream);
        expect(fault).toBeUndefined();
        const off = filmedMs(clock, 0);
        expect(off).toBeGreaterThanOrEqual(Math.min(...delays));
        expect(off).toBeLessThanOrEqual(400);
      }),
    );
  });
});

describe("a file's next run, of which 20 s are here", () => {
  const taken = { mediaUs: 20_000_000, atMs: 50_000 };
  test.each<[string, boolean, { mediaMs: number; awayMs: number }]>([
    ['goes on after a restart', true, { mediaMs: 20_000, awayMs: 1200 }],
    ['goes on after a long one', true, { mediaMs: 20_000, awayMs: 14_000 }],
    ['goes on a frame further', true, { mediaMs: 20_040, awayMs: 1200 }],
    ['has another time after a pause of minutes', false, { mediaMs: 20_000, awayMs: 180_000 }],
    ['has another time if it begins with the keyframe before', false, { mediaMs: 18_000, awayMs: 1200 }],
    ['has another time if it begins anew', false, { mediaMs: 0, awayMs: 1200 }],
    ['has another time if it skips a pause of the file', false, { mediaMs: 28_000, awayMs: -6800 }],
  ])('%s: %s', (_, goesOn, { mediaMs, awayMs }) => {
    const atMs = taken.atMs + awayMs + (mediaMs - taken.mediaUs / 1000) + FRAGMENT_MS;
    const first = arrival({ atMs, mediaMs, durationMs: FRAGMENT_MS, samples: 5 });
    expect(isGoingOn(taken, first)).toBe(goesOn);
  });

  test('has its own time if nothing of it is here', () => {
    expect(isGoingOn(undefined, arrival({ atMs: 0, mediaMs: 0, durationMs: 1, samples: 1 }))).toBe(false);
  });
});
