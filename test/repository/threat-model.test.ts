import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { missingIn, root, testsNamedIn } from './named-tests.ts';

/** Rows of the threat model and titles of tests name each other by id; prose names tests by path and title. */

const ID = /\[(TM-\d\d)\]/g;
const read = (path: string) => readFileSync(resolve(root, path), 'utf8');

/** What is wrong between the rows of a page and the ids in titles. */
function unmatched(page: string, titles: readonly string[]): string[] {
  const rows = [...page.matchAll(/^\| (TM-\d\d) \|/gm)].map(([, id = '']) => id);
  const titled = titles.flatMap((source) => [...source.matchAll(ID)].map(([, id = '']) => id));
  const repeated = rows.filter((id, index) => rows.indexOf(id) !== index);
  return [
    ...repeated.map((id) => `${id}: two rows`),
    ...rows.filter((id) => !titled.includes(id)).map((id) => `${id}: no test`),
    ...new Set(titled.filter((id) => !rows.includes(id)).map((id) => `${id}: no row`)),
  ];
}

test('every row of the threat model has a test that bears its id, and every such id a row', () => {
  const here = 'repository/threat-model.test.ts';
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  const tests = files.filter((file) => file.endsWith('.test.ts') && file !== here);
  const page = read('docs/design/threat-model.md');
  expect(page.match(/^\| TM-/gm)?.length).toBeGreaterThan(50);
  expect(
    unmatched(
      page,
      tests.map((file) => read(join('test', file))),
    ),
  ).toEqual([]);
});

test('control: a row without a test, an id without a row and a repeated row are found', () => {
  const page = '| TM-01 | a |\n| TM-02 | b |\n| TM-02 | c |\n';
  expect(unmatched(page, ["test('x [TM-02] [TM-03]')"])).toEqual([
    'TM-02: two rows',
    'TM-01: no test',
    'TM-03: no row',
  ]);
});

test.each(['docs/design/threat-model.md', 'docs/evidence/keys.md'])(
  'every test that %s names is there, titles too',
  (path) => {
    const text = read(path);
    expect(testsNamedIn(text).length).toBeGreaterThan(0);
    // Every mention is one that is looked at, however it is written.
    expect(text.match(/test\/[\w/-]+\.test\.ts/g)).toHaveLength(testsNamedIn(text).length);
    expect(missingIn(text)).toEqual([]);
  },
);

test('control: a made-up path is reported, and so is a made-up title', () => {
  const here = 'test/repository/threat-model.test.ts';
  const madeUp = ['no', 'such', 'words'].join(' ');
  const text = `\`test/repository/made-up.test.ts\` (a; b), \`${here}\` (control: a made-up path; ${madeUp}).`;
  expect(missingIn(text)).toEqual(['test/repository/made-up.test.ts', `${here}: ${madeUp}`]);
});
