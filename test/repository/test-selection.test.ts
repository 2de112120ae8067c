import { lanesOf, type Options, select } from '../../scripts/testing/selection.ts';

const files = [
  'test/all/disks.test.ts',
  'test/all/kit.test.ts',
  'test/e2e/film.test.ts',
  'test/long/week.test.ts',
  'test/wire/parser.test.ts',
];
const starters = new Set(files.slice(0, 4));

test.each<[Partial<Options>, string[]]>([
  [{}, ['test/e2e/film.test.ts', 'test/wire/parser.test.ts']],
  [{ profile: 'unit' }, ['test/wire/parser.test.ts']],
  [{ profile: 'all' }, files.filter((file) => file !== 'test/long/week.test.ts')],
  [{ profile: 'long' }, ['test/long/week.test.ts']],
  // Named files need no profile; one that is given holds.
  [
    { patterns: [/disks/, /week/, /parser/] },
    ['test/all/disks.test.ts', 'test/long/week.test.ts', 'test/wire/parser.test.ts'],
  ],
  [{ patterns: [/e2e\/film[.]test/] }, ['test/e2e/film.test.ts']],
  [{ profile: 'unit', patterns: [/./] }, ['test/wire/parser.test.ts']],
  [{ profile: 'long', patterns: [/film/] }, []],
])('%o', (wish, expected) => {
  expect(select(files, { profile: 'everyday', patterns: [], ...wish }, starters)).toEqual(expected);
});

test('what makes whole machines runs one at a time, beside the rest of test/all/, when the others have run', () => {
  expect(lanesOf(files, 2)).toEqual([
    {
      name: 'everyday',
      files: ['test/e2e/film.test.ts', 'test/wire/parser.test.ts'],
      workers: 3,
    },
    { name: 'machines', files: ['test/all/kit.test.ts'], workers: 1, beside: true },
    { name: 'all', files: ['test/all/disks.test.ts'], workers: 2 },
    { name: 'long', files: ['test/long/week.test.ts'] },
  ]);
});

test('a lane without files does not run, and nothing runs beside nothing', () => {
  expect(lanesOf(['test/all/kit.test.ts'], 2)).toEqual([
    { name: 'machines', files: ['test/all/kit.test.ts'], workers: 1 },
  ]);
  expect(lanesOf([], 2)).toEqual([]);
});
