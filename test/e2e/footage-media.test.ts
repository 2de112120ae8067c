import { MadeFootage, type SessionOptions } from '../footage/footage-maker.ts';
import { minimalFragment, minimalInit } from '../media/minimal.ts';

/** What cameras seal need not be media that plays: then it is refused, and by all commands alike. */

const SESSION: SessionOptions = { number: 1, segments: ['next'] };
const fragment = minimalFragment();
const changed = (at: number, ...values: number[]) => {
  const copy = fragment.slice();
  copy.set(values, at);
  return copy;
};

describe('[FC-36] one verdict from open and verify:', () => {
  test.each<[string, string | undefined, Uint8Array]>([
    ['sound media', undefined, fragment],
    ['rubbish', 'BOX_SIZE', new Uint8Array(100).fill(9)],
    ['a box larger than what it lies in', 'BOX_SIZE', changed(3, 255)],
    ['a box without an end', 'BOX_ENDLESS', changed(0, 0, 0, 0, 0)],
    ['moof alone', 'MDAT_MISSING', fragment.slice(0, -9)],
    ['nothing', 'BOX_ORDER', new Uint8Array(0)],
    ['a time beyond 2^53', 'TIME_RANGE', minimalFragment(2 ** 60)],
    ['samples beyond the data', 'SAMPLE_RANGE', changed(fragment.length - 10, 200)],
  ])('%s', async (_, fault, media) => {
    const footage = await MadeFootage.of(SESSION);
    try {
      await footage.session(1).add('next', { fragment: media });
      await footage.session(1).add('final');
      const [verified, opened] = [await footage.verify(), await footage.open()];
      expect(opened.segments).toEqual(verified.segments);
      expect(verified.counts).toMatchObject(
        fault ? { complete: 2, refused: 1 } : { complete: 3, refused: 0 },
      );
      expect(opened.files.map(({ fragments }) => fragments)).toEqual([fault ? 2 : 3]);
      if (fault === undefined) return;
      expect(verified.segments[1]).toMatchObject({
        code: 'MEDIA_MALFORMED',
        message: expect.stringContaining(`${fault}: `),
      });
    } finally {
      footage.remove();
    }
  });

  test('an init segment that is none', async () => {
    const footage = await MadeFootage.filmed({ init: minimalInit().slice(0, -1), fragment }, SESSION);
    try {
      const [verified, opened] = [await footage.verify(), await footage.open()];
      expect(opened.segments).toEqual(verified.segments);
      expect(verified.segments[0]).toMatchObject({ verdict: 'refused', code: 'MEDIA_MALFORMED' });
      expect(opened.files).toEqual([]);
    } finally {
      footage.remove();
    }
  });

  test('a session of a time that no movie can hold goes into another file', async () => {
    const final = { segments: ['final' as const] };
    const footage = await MadeFootage.of({ ...final, number: 1 }, { ...final, number: 14_000_000_000 });
    try {
      const opened = await footage.open();
      expect(opened.counts).toMatchObject({ complete: 2, refused: 0 });
      expect(opened.files).toHaveLength(2);
    } finally {
      footage.remove();
    }
  });
});
