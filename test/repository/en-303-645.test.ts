import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseProvisions, type RanFile, readProvisions, unproven } from '../../scripts/provisions.ts';

const root = resolve(import.meta.dirname, '../..');
const path = resolve(root, 'docs/evidence/en-303-645.yaml');

/** The provisions of V3.1.3, by clause: the numbers within it. */
const CLAUSES: readonly [clause: string, numbers: string][] = [
  ['5.0', '1'],
  ['5.1', '1 2 2A 3 4 5'],
  ['5.2', '1 2 3'],
  ['5.3', '1 2 3 4A 4B 5 6A 6B 7 8 9 10 11 12 13 14 15A 15B 16'],
  ['5.4', '1 2 3 4'],
  ['5.5', '1 2 3 4 5 6 7 8'],
  ['5.6', '1 2 3 4A 4B 5 6 7 8 9'],
  ['5.7', '1 2'],
  ['5.8', '1 2 3'],
  ['5.9', '1 2 3'],
  ['5.10', '1'],
  ['5.11', '1 2 3 4'],
  ['5.12', '1 2 3'],
  ['5.13', '1A 1B'],
  ['6', '1 2 3A 3B 4 5 6 7 8'],
];

const provisions = readProvisions(path);

test('holds each of the 78 provisions once, in order', () => {
  const ids = CLAUSES.flatMap(([clause, numbers]) =>
    numbers.split(' ').map((number) => `${clause}-${number}`),
  );
  expect(ids).toHaveLength(78);
  expect(provisions.map(({ id }) => id)).toEqual(ids);
});

test('no provision is proven by long tests alone, which a landing does not run', () => {
  const isLong = ({ file }: { readonly file: string }) => file.startsWith('test/long/');
  const alone = provisions.filter(({ provenBy = [] }) => provenBy.length > 0 && provenBy.every(isLong));
  expect(alone.map(({ id }) => id)).toEqual([]);
});

test('every test that it names is in its file', () => {
  const missing = provisions.flatMap(({ id, provenBy = [] }) =>
    provenBy
      .filter(({ file, title }) => {
        const source = resolve(root, file);
        return !existsSync(source) || !readFileSync(source, 'utf8').includes(title);
      })
      .map(({ file, title }) => `${id}: ${file} (${title})`),
  );
  expect(missing).toEqual([]);
});

const one = (fields: string) =>
  `standard: ETSI EN 303 645 V3.1.3
provisions:
  - { id: 5.6-1, level: mandatory, demands: Nothing listens, reason: It looks out alone, ${fields} }`;
const named = 'provenBy: [{ file: test/a.test.ts, title: nothing listens }]';

test.each([
  ['applies, without proof or a word on what is not met', 'applies: true'],
  ['does not apply, and is proven', `applies: false, ${named}`],
  ['has a field that nobody knows', `applies: true, ${named}, done: true`],
  ['names a file that is no test', 'applies: true, provenBy: [{ file: agent/agent.ts, title: nothing }]'],
])('control: a provision that %s is refused', (_, fields) => {
  expect(() => parseProvisions(one(fields))).toThrow();
  expect(parseProvisions(one(`applies: true, ${named}`))).toHaveLength(1);
});

describe('against a run', () => {
  const table = parseProvisions(one(`applies: true, ${named}`));
  const ran = (status: string, fullName = 'a camera nothing listens, unpaired'): RanFile[] => [
    { name: '/somewhere/test/a.test.ts', assertionResults: [{ fullName, status }] },
  ];
  const complaint = ['5.6-1 names a test that did not run and pass: test/a.test.ts (nothing listens)'];

  test.each<[string, RanFile[], string[]]>([
    ['that ran and passed is proven', ran('passed'), []],
    ['of another title is reported', ran('passed', 'something listens'), complaint],
    ['that failed is reported', ran('failed'), complaint],
    ['that was skipped is reported', ran('pending'), complaint],
  ])('a name %s', (_, files, expected) => {
    expect(unproven(table, files, () => true)).toEqual(expected);
  });

  test('a name that did not run is reported', () => {
    expect(unproven(table, [], () => true)).toEqual(complaint);
  });

  test('a name of a file that the run does not hold is not asked for', () => {
    expect(unproven(table, [], () => false)).toEqual([]);
  });
});
