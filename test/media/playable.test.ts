import fc from 'fast-check';
import { MediaError } from '../../media/errors.ts';
import { Joiner } from '../../media/joiner.ts';
import { checkPlayable } from '../../media/playable.ts';
import { SampleTable } from '../../media/samples.ts';
import { MINIMAL_TIMESCALE, minimalFragment, minimalInit } from './minimal.ts';

const init = minimalInit();

/** The code by which `act` refuses; undefined when it does not. */
function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof MediaError) return error.code;
    throw error;
  }
}

/** What comes of writing it to a file. */
const joining = (moov: Uint8Array, fragments: readonly Uint8Array[], shiftUs: number) =>
  codeOf(() => {
    const joiner = new Joiner(moov);
    for (const fragment of fragments) joiner.add(fragment, shiftUs);
    joiner.finish();
  });

test('the least media plays', () => {
  expect(codeOf(() => checkPlayable(init, [minimalFragment(), minimalFragment(MINIMAL_TIMESCALE)], 0))).toBe(
    undefined,
  );
});

test('[FC-36] what is checked is what can be written, by the same code, whatever is altered', () => {
  const writes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 });
  const altered = (bytes: Uint8Array, changes: readonly (readonly [number, number])[]) => {
    const copy = bytes.slice();
    for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
    return copy;
  };
  const time = fc.oneof(fc.nat(100_000), fc.maxSafeNat());
  const codes = new Set<string | undefined>();
  fc.assert(
    fc.property(
      writes,
      fc.array(fc.tuple(writes, time), { maxLength: 3 }),
      time,
      (ofInit, ofFragments, at) => {
        const moov = altered(init, ofInit);
        const fragments = ofFragments.map(([changes, decodeTime]) =>
          altered(minimalFragment(decodeTime), changes),
        );
        const code = codeOf(() => checkPlayable(moov, fragments, at));
        codes.add(code);
        expect(code).toBe(joining(moov, fragments, -at));
      },
    ),
    { numRuns: 2000 },
  );
  expect(codes.size).toBeGreaterThan(5);
});

test('[FC-33] a sample table keeps no more samples than it is made for, and goes on keeping time [TM-15]', () => {
  const sample = { offset: 0, size: 1, duration: 10, compositionOffset: 0, sync: true };
  const [small, large] = [new SampleTable(3), new SampleTable()];
  for (const table of [small, large]) {
    for (let at = 0; at < 50; at += 10) table.add(0, at, [sample]);
  }
  expect([small.representable, large.representable]).toEqual([false, true]);
  expect([small.next, small.end]).toEqual([large.next, large.end]);
  const stsd = new Uint8Array(0);
  expect(small.toBox(stsd).length).toBeLessThan(large.toBox(stsd).length);
});
