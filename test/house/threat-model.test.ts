import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * A document names a test as `test/room/file.test.ts` in backticks, and may name titles after it, in parentheses and
 * parted by semicolons: words that stand in the file.
 */

const root = resolve(import.meta.dirname, '../..');
const documents = ['docs/threat-model.md', 'docs/keys.md'];

interface NamedTest {
  readonly path: string;
  readonly titles: readonly string[];
}

function testsNamedIn(text: string): NamedTest[] {
  const named = text.matchAll(/`(test\/[^`\s]+)`(?:\s+\(([^()]+)\))?/g);
  return [...named].map(([, path = '', titles]) => ({
    path,
    titles: titles?.split(';').map((title) => title.trim().replace(/\s+/g, ' ')) ?? [],
  }));
}

/** Each test named in the text that is not there, and each title that its file does not hold. */
function missingIn(text: string): string[] {
  return testsNamedIn(text).flatMap(({ path, titles }) => {
    const file = resolve(root, path);
    if (!existsSync(file)) return [path];
    const source = readFileSync(file, 'utf8');
    return titles.filter((title) => !source.includes(title)).map((title) => `${path}: ${title}`);
  });
}

test.each(documents)('every test that %s names is there, titles too', (path) => {
  const text = readFileSync(resolve(root, path), 'utf8');
  expect(testsNamedIn(text).length).toBeGreaterThan(20);
  // Every mention is one that is looked at, however it is written.
  expect(text.match(/test\/[\w/-]+\.test\.ts/g)).toHaveLength(testsNamedIn(text).length);
  expect(missingIn(text)).toEqual([]);
});

test('control: a made-up path is reported, and so is a made-up title', () => {
  const here = 'test/house/threat-model.test.ts';
  const madeUp = ['no', 'such', 'words'].join(' ');
  const text = `\`test/house/made-up.test.ts\` (a; b), \`${here}\` (control: a made-up path; ${madeUp}).`;
  expect(missingIn(text)).toEqual(['test/house/made-up.test.ts', `${here}: ${madeUp}`]);
});
