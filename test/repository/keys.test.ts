import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { root, testsNamedIn } from './named-tests.ts';

/** docs/evidence/keys.md: a row for each key and secret, and for each column that promises something a test. */

const COLUMNS = ['where', 'lives', 'rotated', 'revoked', 'destroyed'] as const;
/** What promises nothing of its own: nothing, or what another row or another's hands decide. */
const NO_PROMISE = /^(–|none|never|with |at the |not |dropped|yours |the (camera's|owner's) life)/;

interface Row {
  readonly what: string;
  readonly cells: readonly string[];
  readonly tests: string;
}

function rowsOf(text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| **'))
    .map((line) => {
      const [what = '', ...cells] = line.split('|').slice(1, -1);
      return { what: what.trim(), cells: cells.map((cell) => cell.trim()), tests: cells.at(-1) ?? '' };
    });
}

/** Each column that promises something and names no test, as `WHAT: COLUMN`. */
function untested(text: string): string[] {
  return rowsOf(text).flatMap(({ what, cells, tests }) => {
    const name = /\*\*(.+?)\*\*/.exec(what)?.[1] ?? what;
    if (cells.length !== COLUMNS.length + 1) return [`${name}: ${cells.length + 1} columns`];
    const behind = new Map(tests.split('·').map((part) => part.trim().split(': ', 2) as [string, string]));
    return COLUMNS.filter((column, index) => {
      if (NO_PROMISE.test(cells[index] ?? '')) return false;
      return testsNamedIn(behind.get(column) ?? '').length === 0;
    }).map((column) => `${name}: ${column}`);
  });
}

const document = readFileSync(resolve(root, 'docs/evidence/keys.md'), 'utf8');

test('every key and secret has a test for each column that promises something', () => {
  expect(rowsOf(document).length).toBeGreaterThanOrEqual(23);
  expect(untested(document)).toEqual([]);
});

test('control: a row without a test, and one that loses it, are found', () => {
  const row = '| **Made-up key** | a file | a day | each day | none | removed | where: `test/a.test.ts` |';
  expect(untested(row)).toEqual(['Made-up key: lives', 'Made-up key: rotated', 'Made-up key: destroyed']);
  expect(untested(document.replace(' · destroyed: ', ' · '))).toEqual(['Device key: destroyed']);
  expect(untested('| **Made-up key** | a file | a day |')).toEqual(['Made-up key: 3 columns']);
});
