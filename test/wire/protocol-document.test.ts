import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_MESSAGE_BYTES, REPLY_CODES, TOPICS } from '../../wire/control.ts';
import { CONTROL_REQUESTS } from '../../wire/control-requests.ts';
import { REFUSAL_CODES } from '../../wire/refusal.ts';
import { Telemetry } from '../../wire/telemetry.ts';

/** docs/reference/protocol.md is enough for a second server: what it lists is what the schemas have. */

const text = readFileSync(join(import.meta.dirname, '../../docs/reference/protocol.md'), 'utf8');

/** The first cells of the rows of the table that follows `heading`, each without its backticks. */
function rowsAfter(heading: string, within = text): string[] {
  const [, after] = within.split(heading);
  const table = /(?:^\|.*\n)+/m.exec(after ?? '')?.[0] ?? '';
  return [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell ?? '');
}

interface Schema {
  readonly type: string;
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly wrapped?: Schema;
}

/** Names of a schema's members, the objects that may be null among them. */
function members({ type, entries, wrapped }: Schema, name = ''): string[] {
  if (wrapped !== undefined) {
    const inner = members(wrapped, name);
    return type === 'nullable' && wrapped.entries !== undefined ? [name, ...inner] : inner;
  }
  if (entries === undefined) return [name];
  return Object.entries(entries).flatMap(([key, value]) =>
    members(value, name === '' ? key : `${name}.${key}`),
  );
}

test("lists telemetry's members", () => {
  expect(rowsAfter('**Telemetry**')).toEqual(members(Telemetry as Schema));
});

test('lists every refusal and every code of a reply', () => {
  expect(rowsAfter('## Refusals')).toEqual([...REFUSAL_CODES]);
  expect(rowsAfter('| code | when |')).toEqual([...REPLY_CODES]);
});

test('lists every request with what it asks', () => {
  const table = text.split('| request | asks the camera to |')[1]?.split('`code` is')[0] ?? '';
  const rows = [...table.matchAll(/^\| `([a-z]+)` \|([^|]+)\|([^|]+)\|$/gm)].map(([, ...cells]) =>
    cells.map((cell) => cell.trim()),
  );
  expect(rows).toEqual(
    Object.entries(CONTROL_REQUESTS).map(([name, { what, apartMs }]) => [
      name,
      what,
      apartMs === 0 ? '' : `${apartMs / 1000} s`,
    ]),
  );
});

test('lists every topic with its longest message', () => {
  const rows = [...text.matchAll(/^\| `oriel\/1\/\{camera\}\/([a-z]+)` .*\| ([\d,]+) \|$/gm)];
  const listed = rows.map(([, topic, bytes]) => [topic, Number(bytes?.replaceAll(',', ''))]);
  expect(Object.fromEntries(listed)).toEqual(
    Object.fromEntries(TOPICS.map((topic) => [topic, MAX_MESSAGE_BYTES[topic]])),
  );
});

test('a member that is missed, or too many, would show', () => {
  const without = text.replace(/^\| `updateTrouble`.*\n/m, '');
  expect(without).not.toBe(text);
  expect(rowsAfter('**Telemetry**', without)).not.toEqual(members(Telemetry as Schema));
});
