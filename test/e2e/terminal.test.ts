import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { escapedJson, jsonLine, printable } from '../../text/printable.ts';
import { exitOf } from '../exit-of.ts';

/** What a command prints may quote cameras and servers; whoever reads it may be a terminal, or gone. */

describe('JSON for a terminal', () => {
  test('says the same, and holds nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        const line = jsonLine({ message });
        expect(JSON.parse(line)).toEqual({ message: message.toWellFormed() });
        expect(printable(line)).toBe(line);
        expect(line).not.toContain('\n');
      }),
    );
  });

  test('escapes the second control set and marks that reorder a line', () => {
    expect(jsonLine('\u009b31m \u202e')).toBe('"\\u009b31m \\u202e"');
    expect(escapedJson('{"topic":"\u009b"}\n')).toBe('{"topic":"\\u009b"}\n');
    expect(JSON.stringify('\u009b')).toContain('\u009b');
  });
});

test('who reads no further is met with no error', async () => {
  const child = spawn(join(import.meta.dirname, '../../oriel'), ['--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const [said] = await Promise.all([text(child.stderr), exitOf(child)]);
  expect(said).toBe('');
});

test('a file that never ends is read no further than a file may be long', async () => {
  const shown = await oriel('keys', 'show', '/dev/zero');
  expect([shown.code, shown.stderr]).toEqual([
    1,
    'oriel: cannot read /dev/zero: it is longer than 4194304 bytes [FILE_UNREADABLE]\n',
  ]);
});
