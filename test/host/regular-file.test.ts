import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNeededFile } from '../../host/files.ts';
import { readRegularFile } from '../../host/regular-file.ts';

/** What readers of small files take, and what a command that needs a file makes of it. */

const room = mkdtempSync(join(tmpdir(), 'oriel-regular-'));
const at = (name: string) => join(room, name);
const MAX_BYTES = 10;
beforeAll(() => {
  writeFileSync(at('file'), 'text');
  writeFileSync(at('full'), 'x'.repeat(MAX_BYTES));
  writeFileSync(at('long'), 'x'.repeat(MAX_BYTES + 1));
  mkdirSync(at('directory'));
  execFileSync('mkfifo', [at('fifo')]);
  symlinkSync(at('file'), at('link'));
  symlinkSync(at('fifo'), at('link to a fifo'));
  symlinkSync('/dev/zero', at('link to a device'));
  symlinkSync(at('nowhere'), at('link to nowhere'));
  symlinkSync(at('loop'), at('loop'));
});
afterAll(() => rmSync(room, { recursive: true }));

const outcome = (read: () => Uint8Array | undefined) => {
  try {
    const bytes = read();
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

test.each<[string, string | undefined, string | undefined, string | undefined]>([
  // What is read: following no link, following links, and by a command that needs it.
  ['file', 'text', 'text', 'text'],
  ['full', 'x'.repeat(MAX_BYTES), 'x'.repeat(MAX_BYTES), 'x'.repeat(MAX_BYTES)],
  ['long', 'FILE_UNFIT', 'FILE_UNFIT', 'FILE_UNREADABLE'],
  ['directory', 'FILE_UNFIT', 'FILE_UNFIT', 'FILE_UNREADABLE'],
  ['fifo', 'FILE_UNFIT', 'FILE_UNFIT', 'FILE_UNREADABLE'],
  ['link', 'FILE_UNFIT', 'text', 'text'],
  ['link to a fifo', 'FILE_UNFIT', 'FILE_UNFIT', 'FILE_UNREADABLE'],
  ['link to a device', 'FILE_UNFIT', 'FILE_UNFIT', 'FILE_UNREADABLE'],
  ['link to nowhere', 'FILE_UNFIT', undefined, 'FILE_UNREADABLE'],
  ['loop', 'FILE_UNFIT', 'FILE_UNFIT', 'FILE_UNREADABLE'],
  ['nothing', undefined, undefined, 'FILE_UNREADABLE'],
  ['file/below', undefined, undefined, 'FILE_UNREADABLE'],
])('[FC-23] a reader that waits for nothing, of a name that is a %s', (name, alone, linked, needed) => {
  const limits = { maxBytes: MAX_BYTES };
  expect(outcome(() => readRegularFile(at(name), limits))).toBe(alone);
  expect(outcome(() => readRegularFile(at(name), { ...limits, link: true }))).toBe(linked);
  expect(outcome(() => readNeededFile(at(name), MAX_BYTES))).toBe(needed);
});
