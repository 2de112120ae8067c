import { join } from 'node:path';
import { openDirectory } from '../../cli/footage/open-footage.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { MadeFootage, type SessionOptions } from '../footage/footage-maker.ts';

/** Sealed footage of a camera that did not always film: it is whole, and says what is not in it. */

/** Two segments, a pause of 6 s, one more; the next session begins ten minutes after this one. */
const PAUSED: SessionOptions = {
  number: 1,
  segments: ['next', 'next', 'final'],
  startsMs: [0, 4_000, 14_000],
};
const AFTER: SessionOptions = { number: 2, segments: ['next', 'final'] };
const SESSIONS_APART = { from: '2026-09-21T14:23:38.000Z', to: '2026-09-21T14:33:20.000Z', seconds: 582 };
const PAUSE = { from: '2026-09-21T14:23:28.000Z', to: '2026-09-21T14:23:34.000Z', seconds: 6 };

async function having<T>(
  sessions: readonly SessionOptions[],
  use: (footage: MadeFootage) => Promise<T>,
): Promise<T> {
  const footage = await MadeFootage.of(...sessions);
  try {
    return await use(footage);
  } finally {
    footage.remove();
  }
}

describe('[FC-76] footage with gaps', () => {
  test('is complete, and says how much was not filmed and when', () =>
    having([PAUSED, AFTER], async (footage) => {
      const report = await footage.verify();
      const { camera } = footage;
      expect(report).toMatchObject({ verdict: 'complete', gapSeconds: 588, gapCount: 2 });
      expect(report.gaps).toEqual([
        { camera, ...PAUSE },
        { camera, ...SESSIONS_APART },
      ]);
    }));

  test('says so in one line of list, verify and open, and ends as complete footage does', () =>
    having([PAUSED, AFTER], async ({ directory, keyPath }) => {
      const said = `segments: 5 complete; nothing was filmed for 588.0 s in 2 gaps, the longest 582.0 s from ${SESSIONS_APART.from}; 20.0 s open`;
      for (const verb of ['list', 'verify', 'open']) {
        const out = verb === 'open' ? ['--out', join(directory, 'out.mp4')] : [];
        const { code, stdout } = await oriel('footage', verb, directory, '--key', keyPath, ...out);
        expect([verb, code, stdout.trimEnd().split('\n').at(-1)]).toEqual([verb, 0, said]);
      }
    }));

  test('counts no gap where a session is missing, or a segment refused', () =>
    having([PAUSED, AFTER, { ...AFTER, number: 3 }], async (footage) => {
      footage.session(2).remove();
      footage.session(1).litter(1);
      const report = await footage.verify();
      expect(report).toMatchObject({ verdict: 'refused', gapSeconds: 0, gaps: [] });
    }));

  test('counts no gap where the camera says that it lost what it filmed', () => {
    const after = { ...AFTER, number: 3, previousSegments: 1, previousDigest: new Uint8Array(32) };
    return having([{ ...AFTER, number: 1 }, { number: 2, segments: [] }, after], async (footage) => {
      // Of the ten minutes before the third session 4 s are there, and 595 s lost.
      await footage.session(2).addMarked({ kind: 'dropped', placed: true, lostUs: 595e6 }, 0);
      const { gaps, verdict } = await footage.verify();
      expect([verdict, gaps.map(({ seconds }) => seconds)]).toEqual(['incomplete', [592, 1]]);
    });
  });

  test.each([
    ['within a gap', '2026-09-21T14:24:00Z', '2026-09-21T14:25:00Z', 'empty', [60]],
    ['that begin in a gap', '2026-09-21T14:33:10Z', '2026-09-21T15:00:00Z', 'complete', [10]],
    ['that end in a gap', '2026-09-21T14:23:30Z', '2026-09-21T14:23:48Z', 'complete', [4, 10]],
  ])('of times %s says that part of it', (_, from, to, verdict, seconds) =>
    having([PAUSED, AFTER], async (footage) => {
      const range = { fromMs: Date.parse(from), toMs: Date.parse(to) };
      const report = await openDirectory({ ...footage.request, range, out: undefined, force: false });
      expect([report.verdict, report.gaps.map((gap) => gap.seconds)]).toEqual([verdict, seconds]);
    }),
  );
});
