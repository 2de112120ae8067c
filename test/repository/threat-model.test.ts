import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { missingIn, root, testsNamedIn } from './named-tests.ts';

const documents = ['docs/design/threat-model.md', 'docs/evidence/keys.md'];

test.each(documents)('every test that %s names is there, titles too', (path) => {
  const text = readFileSync(resolve(root, path), 'utf8');
  expect(testsNamedIn(text).length).toBeGreaterThan(20);
  // Every mention is one that is looked at, however it is written.
  expect(text.match(/test\/[\w/-]+\.test\.ts/g)).toHaveLength(testsNamedIn(text).length);
  expect(missingIn(text)).toEqual([]);
});

test('control: a made-up path is reported, and so is a made-up title', () => {
  const here = 'test/repository/threat-model.test.ts';
  const madeUp = ['no', 'such', 'words'].join(' ');
  const text = `\`test/repository/made-up.test.ts\` (a; b), \`${here}\` (control: a made-up path; ${madeUp}).`;
  expect(missingIn(text)).toEqual(['test/repository/made-up.test.ts', `${here}: ${madeUp}`]);
});
