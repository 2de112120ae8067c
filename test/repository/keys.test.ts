import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './named-tests.ts';

/** docs/evidence/keys.md: a row for each key and secret; each column that promises something has a test that bears its id. */

const COLUMNS = ['where', 'lives', 'rotated', 'revoked', 'destroyed'] as const;
/** What promises nothing of its own: nothing, or what another row or another's hands decide. */
const NO_PROMISE = /^(–|none|never|with |at the |not |dropped|yours |the (camera's|owner's) life)/;
/** The test that proves the place of every secret. */
const SWEEP = 'KEY where';
const ID = /\[(KEY(?:-\d\d)? (?:where|lives|rotated|revoked|destroyed))\]/g;

interface Row {
  readonly id: string;
  readonly cells: readonly string[];
  readonly isSecret: boolean;
}

function rowsOf(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| KEY-'))
    .map((line) => {
      const [id = '', what = '', ...cells] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { id, cells, isSecret: !what.includes('(no secret') };
    });
}

const idsIn = (source: string) => [...source.matchAll(ID)].map(([, id = '']) => id);

/** Each column that promises something and that no id proves, as `KEY-NN COLUMN`, and each id of no row. */
function unmatched(page: string, ids: readonly string[]): string[] {
  const rows = rowsOf(page);
  const unproven = rows.flatMap(({ id, cells, isSecret }) => {
    if (cells.length !== COLUMNS.length) return [`${id}: ${cells.length} columns`];
    return COLUMNS.filter((column, index) => {
      if (NO_PROMISE.test(cells[index] ?? '') || ids.includes(`${id} ${column}`)) return false;
      return !(column === 'where' && isSecret && ids.includes(SWEEP));
    }).map((column) => `${id} ${column}`);
  });
  const known = new Set([SWEEP, ...rows.flatMap(({ id }) => COLUMNS.map((column) => `${id} ${column}`))]);
  return [...unproven, ...new Set(ids.filter((id) => !known.has(id)))];
}

const page = readFileSync(resolve(root, 'docs/evidence/keys.md'), 'utf8');
const ids = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && file !== 'repository/keys.test.ts')
  .flatMap((file) => idsIn(readFileSync(join(root, 'test', file), 'utf8')));

test('every key and secret has a test for each column that promises something', () => {
  expect(rowsOf(page).length).toBeGreaterThanOrEqual(23);
  expect(unmatched(page, ids)).toEqual([]);
});

test('control: a column without a test, and an id without a row, are found', () => {
  const secret = '| KEY-01 | **Made-up key** | a file | a day | each day | none | removed |';
  expect(unmatched(secret, ['KEY where', 'KEY-01 lives'])).toEqual(['KEY-01 rotated', 'KEY-01 destroyed']);
  expect(unmatched(secret.replace('key**', 'pin** (no secret)'), ['KEY where'])).toContain('KEY-01 where');
  expect(unmatched('', ['KEY-02 lives'])).toEqual(['KEY-02 lives']);
  expect(
    unmatched(
      page,
      ids.filter((id) => id !== 'KEY-01 destroyed'),
    ),
  ).toEqual(['KEY-01 destroyed']);
});
