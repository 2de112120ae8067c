import fc from 'fast-check';
import type { SpooledSegment } from '../../agent/spool/spooled-segment.ts';
import { type Crash, CrashDisk } from '../faults/crash-disk.ts';
import { faultsOf, faultsOfAccount } from './checker.ts';
import { Camera, type Entry, type Step } from './journal.ts';
import { advancer, openSpool } from './rig.ts';

/** What happens to a camera: it does a step, or stops and starts again. */
type Event = Step | { readonly do: 'stop'; readonly crash: Crash | 'close' };

const segment = fc.nat({ max: 12 });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('append'), bytes: fc.integer({ min: 1, max: 900 }) }) },
  { weight: 4, arbitrary: fc.constant({ do: 'begin segment' }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('close segment'), closing: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(250, 500, 1000, 2500) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('acknowledge'),
      segment,
      records: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle'), segment }) },
  { weight: 1, arbitrary: fc.constant({ do: 'end session' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('stop'),
      crash: fc.oneof(fc.constantFrom('killed', 'power cut', 'close'), fc.nat({ max: 1000 })),
    }),
  },
) as fc.Arbitrary<Event>;

const limits = fc.record({
  maxBytes: fc.constantFrom(11_000, 14_000, 2 ** 24),
  maxMemoryBytes: fc.constantFrom(3000, 6000, 2 ** 22),
  minFreeBytes: fc.constant(0),
  maxTombstones: fc.constant(1000),
});

test('whatever a camera goes through, no promise is broken', async () => {
  await fc.assert(
    fc.asyncProperty(limits, fc.array(event, { minLength: 10, maxLength: 90 }), async (limits, events) => {
      let sessions = 0;
      let disk = new CrashDisk();
      let { spool, clock } = await openSpool(disk, '/spool', { limits });
      let camera = new Camera(spool, advancer(clock));
      await camera.do({ do: 'begin session', number: ++sessions });
      for (const event of events) {
        if (event.do !== 'stop') {
          await camera.do(event);
          expect(faultsOfAccount(spool)).toEqual([]);
          expect(spool.stats().memoryBytes).toBeLessThanOrEqual(limits.maxMemoryBytes);
          expect(disk.bytes).toBeLessThanOrEqual(limits.maxBytes);
          continue;
        }
        const { crash } = event;
        const { journal } = camera;
        if (crash === 'close') await spool.close();
        const named = (is: (segment: SpooledSegment) => boolean) =>
          new Set<Entry>(
            [...camera.handles].flatMap(([entry, s]) => (is(s as SpooledSegment) ? [entry] : [])),
          );
        const dropped = named(({ tombstone }) => tombstone !== undefined);
        const buried = named((s) => s.buried);
        const copy = journal.copy();
        const index = new Map(journal.entries.map((entry, i) => [entry, copy.entries[i] as Entry]));
        const mapped = (entries: Set<Entry>) =>
          new Set([...entries].flatMap((entry) => index.get(entry) ?? []));
        disk = disk.state.reboot(crash === 'close' ? 'power cut' : crash);
        ({ spool } = await openSpool(disk, '/spool', { limits }, clock));
        const stop = crash === 'killed' || crash === 'close' ? 'SIGKILL' : 'power cut';
        expect(await faultsOf(spool, copy, stop, mapped(dropped), mapped(buried))).toEqual([]);
        camera = new Camera(spool, advancer(clock));
        camera.adopt(copy);
        await camera.do({ do: 'begin session', number: ++sessions });
      }
    }),
    { numRuns: 150 },
  );
});
