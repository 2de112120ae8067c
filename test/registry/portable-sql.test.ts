import { MIGRATIONS } from '../../server/registry/registry-tables.ts';
import { statementsOf } from './statements.ts';

/** What server/registry/database.ts asks of SQL. That PostgreSQL runs it shows test/all/registry-postgres.test.ts. */

const RULES: [string, RegExp][] = [
  ['parameters without a number', /\?/],
  ['OR REPLACE or OR IGNORE', /\bOR (?:REPLACE|IGNORE|ABORT)\b/i],
  ['an upsert without a conflict target', /\bON CONFLICT (?!\()/i],
  ['a PRAGMA or a rowid', /\b(?:PRAGMA|rowid|_rowid_|last_insert_rowid)\b/i],
  [
    "a function of SQLite's own",
    /\b(?:ifnull|iif|unixepoch|strftime|datetime|hex|zeroblob|changes|json_extract)\s*\(/i,
  ],
  ['a column of an upsert without its table', /coalesce\(excluded\.\w+, (?!\w+\.)/i],
  ['every column', /SELECT \*/i],
];

const broken: [string, string][] = [
  ['parameters without a number', 'DELETE FROM a WHERE b = ?'],
  ['OR REPLACE or OR IGNORE', 'INSERT OR REPLACE INTO a VALUES ($1)'],
  ['an upsert without a conflict target', 'INSERT INTO a VALUES ($1) ON CONFLICT DO NOTHING'],
  ['a PRAGMA or a rowid', 'SELECT rowid FROM a'],
  ["a function of SQLite's own", 'SELECT ifnull(a, b) FROM c'],
  ['a column of an upsert without its table', 'UPDATE SET a = coalesce(excluded.a, a)'],
  ['every column', 'SELECT * FROM a'],
];

test('all statements are found', () => {
  expect(statementsOf().length).toBeGreaterThan(40);
});

test.each(RULES)('no statement has %s', (_name, rule) => {
  expect(statementsOf().filter((sql) => rule.test(sql))).toEqual([]);
});

test.each(broken)('control: %s is found', (name, sql) => {
  expect(RULES.filter(([, rule]) => rule.test(sql)).map(([each]) => each)).toEqual([name]);
});

test('the schema is of the types that every database knows', () => {
  const schema = MIGRATIONS.steps.join('\n');
  expect(schema).not.toMatch(/\b(?:INTEGER|BLOB|STRICT|AUTOINCREMENT|WITHOUT ROWID)\b/);
  expect(schema).toMatch(/\bBIGINT\b/);
});
