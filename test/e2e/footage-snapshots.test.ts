import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { MadeFootage } from '../footage/footage-maker.ts';

/** Snapshots that are not here are told, neutrally; one that was altered is refused, by all commands alike. */

const BEGIN_MS = 1_790_000_600_000;

async function withSnapshots<T>(act: (footage: MadeFootage, snapshots: string[]) => Promise<T>): Promise<T> {
  const footage = await MadeFootage.of({ number: 1, segments: ['final'] });
  try {
    const snapshots: string[] = [];
    for (let at = 0; at < 6; at++)
      snapshots.push(await footage.session(1).addSnapshot(Uint8Array.of(at), at * 60_000));
    return await act(footage, snapshots);
  } finally {
    footage.remove();
  }
}

const withhold = (snapshots: readonly string[], ...numbers: number[]) => {
  for (const number of numbers) rmSync(snapshots[number] ?? '');
};

test.each<[string, number[], { first: number; last: number }[]]>([
  ['none', [], []],
  ['the first', [0], [{ first: 0, last: 0 }]],
  [
    'some',
    [1, 3, 4],
    [
      { first: 1, last: 1 },
      { first: 3, last: 4 },
    ],
  ],
  ['the last, of which nothing tells', [5], []],
  ['all', [0, 1, 2, 3, 4, 5], []],
])(
  '[FC-28d] of snapshots that are not here (%s) the numbers are told, and no verdict changes [TM-14]',
  (_, absent, numbers) =>
    withSnapshots(async (footage, snapshots) => {
      withhold(snapshots, ...absent);
      const report = await footage.verify();
      expect(report.verdict).toBe('complete');
      expect(report.snapshots).toBe(6 - absent.length);
      expect(report.absentSnapshots.map((line) => line.numbers)).toEqual(numbers.length > 0 ? [numbers] : []);
      expect(report.refusedPictures).toEqual([]);
    }),
);

test('[FC-28d] one that was altered is refused by verify too, and hides no other [TM-14]', () =>
  withSnapshots(async (footage, snapshots) => {
    withhold(snapshots, 1);
    const path = snapshots[2] ?? '';
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const report = await footage.verify();
    expect(report).toMatchObject({ verdict: 'refused', counts: { complete: 1, refused: 0 } });
    expect(report.refusedPictures).toMatchObject([{ code: 'SNAPSHOT_FORGED', path }]);
    expect(report.absentSnapshots).toMatchObject([{ numbers: [{ first: 1, last: 1 }] }]);
  }));

test('[FC-28d] at other times than those asked for, nothing is told', () =>
  withSnapshots(async (footage, snapshots) => {
    withhold(snapshots, 1, 4);
    const { openDirectory } = await import('../../cli/footage/open-footage.ts');
    const range = { fromMs: BEGIN_MS + 150_000, toMs: BEGIN_MS + 400_000 };
    const report = await openDirectory({ ...footage.request, range, out: undefined, force: false });
    expect(report.absentSnapshots).toMatchObject([{ numbers: [{ first: 4, last: 4 }] }]);
    expect(report.snapshots).toBe(2);
  }));

test('[FC-28d] the command says it in a line, with exit code 0', () =>
  withSnapshots(async ({ directory, keyPath }, snapshots) => {
    withhold(snapshots, 1, 3, 4);
    const { code, stdout } = await oriel('footage', 'verify', join(directory, 'footage'), '--key', keyPath);
    expect(stdout).toContain(
      'snapshots not here: 1, 3 to 4 (numbered by the camera; not sent, not kept, or withheld)',
    );
    expect(code).toBe(0);
  }));
