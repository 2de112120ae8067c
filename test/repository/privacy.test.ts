import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { SOURCE_KINDS } from '../../agent/capture/source.ts';
import { Telemetry } from '../../wire/telemetry.ts';
import { telemetry } from '../wire/telemetry.ts';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(resolve(root, 'docs/reference/privacy.md'), 'utf8');

function section(title: string): string {
  const [, text = ''] = page.split(`\n## ${title}\n`);
  return text.split('\n## ')[0] ?? '';
}

/** What stands in backticks in the first column of a section's table. */
const firstColumn = (title: string) =>
  [...section(title).matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word),
  );

/** Names of all fields of a schema, those within objects as `object.field`. */
function fieldsOf(schema: v.GenericSchema, prefix = ''): string[] {
  if ('wrapped' in schema) return fieldsOf(schema.wrapped as v.GenericSchema, prefix);
  if (!('entries' in schema)) return [prefix];
  return Object.entries(schema.entries as Record<string, v.GenericSchema>).flatMap(([name, entry]) =>
    fieldsOf(entry, prefix === '' ? name : `${prefix}.${name}`),
  );
}

test('telemetry: every field that a camera may send is listed, and no other', () => {
  expect(firstColumn('Telemetry').sort()).toEqual(fieldsOf(Telemetry).sort());
});

test('telemetry: a message with a field less is refused, and of one with a field more nothing else is kept', () => {
  const entries = Object.entries(Telemetry.entries);
  const fields = entries.filter(([, { type }]) => type !== 'optional').map(([name]) => name);
  const issues = v.safeParse(Telemetry, { location: 'at home' }).issues ?? [];
  expect(issues.map(({ path }) => path?.[0]?.key)).toEqual(fields);
  // What else a camera says is not kept.
  expect(v.parse(Telemetry, { ...telemetry(), location: 'at home' })).toEqual(telemetry());
});

test('sensors: every kind of source that a camera can be set up with is listed, and no other', () => {
  const schemes = SOURCE_KINDS.flatMap(({ schemes: names }) => names.map((name) => `${name}:`));
  expect(schemes.length).toBeGreaterThan(3);
  expect(firstColumn('Sensors').sort()).toEqual(schemes.sort());
});

test('personal data: each kind says where it is, who can read it, why, and until when', () => {
  const rows = section('Personal data')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  expect(rows.length).toBeGreaterThan(4);
  for (const row of rows) expect(row.split('|').filter((cell) => cell.trim() !== '')).toHaveLength(5);
});

test('it says how data is deleted, on the camera, on the server, and for good', () => {
  expect(section('Deleting')).toMatch(/`oriel camera reset/);
  expect(section('Deleting').match(/^- \*\*/gm)).toHaveLength(3);
});
