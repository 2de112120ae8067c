import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { missingIn, root, testsNamedIn } from './named-tests.ts';

/** docs/evidence/field-cases.md and the tests' titles name the same cases. */

const document = readFileSync(resolve(root, 'docs/evidence/field-cases.md'), 'utf8');
const ID = /\[(FC-\d\d[a-e]?)\]/g;
const idsIn = (text: string) => new Set([...text.matchAll(ID)].map(([, id]) => id));

test('every test that a case names is there, with its id in a title', () => {
  expect(testsNamedIn(document).length).toBeGreaterThan(50);
  expect(missingIn(document)).toEqual([]);
});

test('every row has a test, and every id in a title has a row', () => {
  const rows = document.split('\n').filter((line) => line.startsWith('| FC-'));
  const without = rows.filter((row) => idsIn(row).size !== 1 || !row.startsWith(`| ${[...idsIn(row)][0]} |`));
  expect(without).toEqual([]);
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  // Sources are rows of a table: their titles stand in it.
  const titled = files
    .filter((file) => file.endsWith('.test.ts') || file.startsWith('sources/'))
    .flatMap((file) => [...idsIn(readFileSync(join(root, 'test', file), 'utf8'))]);
  expect([...new Set(titled)].sort()).toEqual([...idsIn(document)].sort());
});
