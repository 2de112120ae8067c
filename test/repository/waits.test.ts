import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
/** A process may have exited before its test listens: then the event never comes, and the test waits for its limit. */
const BARE_WAIT = /\bonce\([^()]+, 'exit'\)/;

test('tests wait for the end of a process by exitOf, which finds one that is over', () => {
  const files = globSync('test/**/*.ts', { cwd: root }).filter(
    (file) => !/\/(exit-of|waits\.test)\.ts$/.test(file),
  );
  expect(files.length).toBeGreaterThan(300);
  const bare = files.filter((file) => BARE_WAIT.test(readFileSync(join(root, file), 'utf8')));
  expect(bare).toEqual([]);
  expect(BARE_WAIT.test("await once(child, 'exit')")).toBe(true);
});
