import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PREVIOUS_UNKNOWN } from '../../crypto/header.ts';
import { MadeFootage, type SessionOptions } from '../footage/footage-maker.ts';

/** What is left of footage is never taken for all of it, and what was put behind its end never for footage. */

const WHOLE: SessionOptions = { number: 1, segments: ['next', 'final'] };
const NONE = { complete: 0, cut: 0, open: 0, missing: 0, refused: 0 };

async function verified(
  sessions: readonly SessionOptions[],
  change: (footage: MadeFootage) => unknown = () => undefined,
) {
  const footage = await MadeFootage.of(...sessions);
  try {
    await change(footage);
    return { footage, ...(await footage.verify()) };
  } finally {
    footage.remove();
  }
}

describe('what is withheld shows', () => {
  test.each<[string, object, SessionOptions[], (footage: MadeFootage) => unknown]>([
    ['nothing', { complete: 4 }, [WHOLE, { ...WHOLE, number: 2 }], () => undefined],
    [
      'all of a session of which the next does not know the end',
      { complete: 2, missing: 1 },
      [WHOLE, { ...WHOLE, number: 2, previousSegments: PREVIOUS_UNKNOWN }],
      (footage) => footage.session(1).keep(0),
    ],
    [
      'its tail',
      { complete: 3, open: 1 },
      [WHOLE, { ...WHOLE, number: 2, previousSegments: PREVIOUS_UNKNOWN }],
      (footage) => footage.session(1).keep(1),
    ],
    [
      'all of the newest session',
      { complete: 2, missing: 1 },
      [WHOLE, { ...WHOLE, number: 2 }],
      (footage) => footage.session(2).keep(0),
    ],
    ['the tail of the newest', { complete: 1, open: 1 }, [WHOLE], (footage) => footage.session(1).keep(1)],
    [
      'a tail of which the end is known',
      { complete: 3, missing: 1 },
      [WHOLE, { ...WHOLE, number: 2 }],
      (footage) => footage.session(1).keep(1),
    ],
  ])('%s [TM-11]', async (_, counts, sessions, change) => {
    expect((await verified(sessions, change)).counts).toEqual({ ...NONE, ...counts });
  });
});

describe('what never was is not missing', () => {
  test.each<[string, object, SessionOptions[]]>([
    [
      'a session that came to no segment',
      { complete: 2 },
      [
        { number: 1, segments: [] },
        { ...WHOLE, number: 2 },
      ],
    ],
    [
      'a segment after the last, which ended at a gap',
      { complete: 4 },
      [
        { number: 1, segments: ['next', 'next'] },
        { ...WHOLE, number: 2 },
      ],
    ],
    [
      'the same in the newest session: its end is open',
      { complete: 2, open: 1 },
      [{ number: 1, segments: ['next', 'next'] }],
    ],
    [
      'a last segment of which the camera does not know the digest',
      { complete: 4 },
      [WHOLE, { ...WHOLE, number: 2, previousDigest: new Uint8Array(32) }],
    ],
  ])('%s', async (_, counts, sessions) => {
    expect((await verified(sessions)).counts).toEqual({ ...NONE, ...counts });
  });
});

describe('what was put behind the end is refused', () => {
  const GAP: SessionOptions = { number: 1, segments: ['next', 'next'] };
  test.each<[string, number, SessionOptions[]]>([
    ['after the segment that ends the session', 2, [WHOLE]],
    ['further after it', 7, [WHOLE]],
    ['beyond the number that the next session states', 2, [GAP, { ...WHOLE, number: 2 }]],
    ['further beyond it', 7, [GAP, { ...WHOLE, number: 2 }]],
    [
      'in a session that came to no segment',
      0,
      [
        { number: 1, segments: [] },
        { ...WHOLE, number: 2 },
      ],
    ],
  ])('%s', async (_, sequence, sessions) => {
    const { counts, segments } = await verified(sessions, (footage) => footage.session(1).forge(sequence));
    const complete = sessions.reduce((sum, session) => sum + session.segments.length, 0);
    expect(counts).toEqual({ ...NONE, complete, refused: 1 });
    expect(segments.find(({ verdict }) => verdict === 'refused')).toMatchObject({
      sequence,
      code: 'CHAIN_BROKEN',
    });
  });

  test('the last segment, if the next session names another', async () => {
    const { counts } = await verified([
      WHOLE,
      { ...WHOLE, number: 2, previousDigest: new Uint8Array(32).fill(1) },
    ]);
    expect(counts).toEqual({ ...NONE, complete: 3, refused: 1 });
  });
});

describe('which sessions are here is said', () => {
  const SESSIONS = [1, 2, 3].map((number) => ({ ...WHOLE, number }));

  test('all there are', async () => {
    const { footage, verdict, cameras } = await verified(SESSIONS);
    expect(verdict).toBe('complete');
    expect(cameras).toEqual([
      {
        camera: footage.camera,
        name: 'Door',
        sessions: 3,
        first: { number: 1, time: '2026-09-21T14:23:20.000Z' },
        last: { number: 3, time: '2026-09-21T14:43:20.000Z' },
        earlier: false,
      },
    ]);
  });

  test('[FC-14] of a line that divides, as after copying a card, where it does [TM-33]', async () => {
    const copied = [
      { ...WHOLE, number: 2, after: 1 },
      { ...WHOLE, number: 3, after: 2 },
    ];
    const { footage, cameras } = await verified([WHOLE, { ...WHOLE, number: 2 }, ...copied]);
    expect(cameras).toMatchObject([{ camera: footage.camera, sessions: 4, forked: [2] }]);
  });

  test('the oldest are gone', async () => {
    const { verdict, cameras } = await verified(SESSIONS, (footage) => footage.session(1).remove());
    expect(verdict).toBe('complete');
    expect(cameras).toMatchObject([
      { sessions: 2, first: { number: 2 }, last: { number: 3 }, earlier: true },
    ]);
  });

  test('a session of a time that no date can hold', async () => {
    const { verdict, cameras } = await verified([{ ...WHOLE, timeMs: 9e15 }]);
    expect(verdict).toBe('complete');
    expect(cameras).toMatchObject([{ first: { time: '(9000000000000000 ms)' } }]);
  });

  test('links in a circle under the name of a session or camera are passed over', async () => {
    const { counts } = await verified([WHOLE], ({ directory, camera }) => {
      for (const name of ['b'.repeat(32), join(camera, `000000000009-${'0'.repeat(32)}`)]) {
        const path = join(directory, 'footage', name);
        symlinkSync(path, path);
      }
    });
    expect(counts).toEqual({ ...NONE, complete: 2 });
  });

  test('a camera that the key trusts has none', async () => {
    const other = { id: 'a'.repeat(32), name: 'Yard' };
    const { cameras } = await verified(SESSIONS, (footage) => footage.trust(other));
    expect(cameras).toHaveLength(2);
    expect(cameras).toContainEqual({ camera: other.id, name: 'Yard', sessions: 0, earlier: false });
  });
});
