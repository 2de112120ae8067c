import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { MadeFootage } from './footage-maker.ts';

/** Stills that are not here are told, neutrally; one that was altered is refused, by all commands alike. */

const BEGIN_MS = 1_790_000_600_000;

async function withStills<T>(act: (footage: MadeFootage, stills: string[]) => Promise<T>): Promise<T> {
  const footage = await MadeFootage.of({ number: 1, segments: ['final'] });
  try {
    const stills: string[] = [];
    for (let at = 0; at < 6; at++)
      stills.push(await footage.session(1).addStill(Uint8Array.of(at), at * 60_000));
    return await act(footage, stills);
  } finally {
    footage.remove();
  }
}

const withhold = (stills: readonly string[], ...numbers: number[]) => {
  for (const number of numbers) rmSync(stills[number] ?? '');
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
  '[FC-28d] of stills that are not here (%s) the numbers are told, and no verdict changes',
  (_, absent, numbers) =>
    withStills(async (footage, stills) => {
      withhold(stills, ...absent);
      const report = await footage.verify();
      expect(report.verdict).toBe('complete');
      expect(report.stills).toBe(6 - absent.length);
      expect(report.absentStills.map((line) => line.numbers)).toEqual(numbers.length > 0 ? [numbers] : []);
      expect(report.refusedPictures).toEqual([]);
    }),
);

test('[FC-28d] one that was altered is refused by verify too, and hides no other', () =>
  withStills(async (footage, stills) => {
    withhold(stills, 1);
    const path = stills[2] ?? '';
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const report = await footage.verify();
    expect(report).toMatchObject({ verdict: 'refused', counts: { complete: 1, refused: 0 } });
    expect(report.refusedPictures).toMatchObject([{ code: 'STILL_FORGED', path }]);
    expect(report.absentStills).toMatchObject([{ numbers: [{ first: 1, last: 1 }] }]);
  }));

test('[FC-28d] at other times than those asked for, nothing is told', () =>
  withStills(async (footage, stills) => {
    withhold(stills, 1, 4);
    const { openFootage } = await import('../../cli/footage/open-footage.ts');
    const range = { fromMs: BEGIN_MS + 150_000, toMs: BEGIN_MS + 400_000 };
    const report = await openFootage({ ...footage.request, range, out: undefined, force: false });
    expect(report.absentStills).toMatchObject([{ numbers: [{ first: 4, last: 4 }] }]);
    expect(report.stills).toBe(2);
  }));

test('[FC-28d] the command says it in a line, with exit code 0', () =>
  withStills(async ({ directory, keyPath }, stills) => {
    withhold(stills, 1, 3, 4);
    const { code, stdout } = await oriel('footage', 'verify', join(directory, 'footage'), '--key', keyPath);
    expect(stdout).toContain(
      'stills not here: 1, 3 to 4 (numbered by the camera; not sent, not kept, or withheld)',
    );
    expect(code).toBe(0);
  }));
