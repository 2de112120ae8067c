import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * A document names a test as `test/room/file.test.ts` in backticks, and may name titles after it, in parentheses and
 * parted by semicolons: words that stand in the file.
 */

export const root = resolve(import.meta.dirname, '../..');

export interface NamedTest {
  readonly path: string;
  readonly titles: readonly string[];
}

export function testsNamedIn(text: string): NamedTest[] {
  const named = text.matchAll(/`(test\/[^`\s]+)`(?:\s+\(([^()]+)\))?/g);
  return [...named].map(([, path = '', titles]) => ({
    path,
    titles: titles?.split(';').map((title) => title.trim().replace(/\s+/g, ' ')) ?? [],
  }));
}

/** Each test named in the text that is not there, and each title that its file does not hold. */
export function missingIn(text: string): string[] {
  return testsNamedIn(text).flatMap(({ path, titles }) => {
    const file = resolve(root, path);
    if (!existsSync(file)) return [path];
    const source = readFileSync(file, 'utf8');
    return titles.filter((title) => !source.includes(title)).map((title) => `${path}: ${title}`);
  });
}
