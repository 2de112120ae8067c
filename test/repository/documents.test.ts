import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { root } from './named-tests.ts';

/** Links of documents lead somewhere, and the source files that they name exist. */

const ROOMS = 'agent|cli|crypto|deploy|host|launcher|media|ota|scripts|server|test|web|wire';
const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
/** A changelog and decisions tell of their day. */
const documents = tracked.filter((path) => path.endsWith('.md') && !/^CHANGELOG|\/decisions\/\d/.test(path));

const read = (path: string) => readFileSync(resolve(root, path), 'utf8');

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
const anchorsIn = (text: string) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => anchorOf(title));

/** Links of `text`, which stands at `path`, that lead nowhere. */
function deadLinks(path: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)]
    .filter(([, target = '', anchor]) => {
      if (/^[a-z]+:/.test(target)) return false;
      const to = target === '' ? path : join(dirname(path), target);
      if (!existsSync(resolve(root, to))) return true;
      return anchor !== undefined && !anchorsIn(target === '' ? text : read(to)).includes(anchor);
    })
    .map(([link]) => `${path}: ${link}`);
}

/** Source files that `text` names in backticks, from the root on, and that are not there; NAME stands for any. */
function missingSources(path: string, text: string): string[] {
  const named = [...text.matchAll(new RegExp(`\`((?:${ROOMS})/[\\w./-]+\\.(?:ts|py))\``, 'g'))];
  return named
    .map(([, file = '']) => file)
    .filter((file) => !/[A-Z]{3}/.test(file) && !existsSync(resolve(root, file)))
    .map((file) => `${path}: ${file}`);
}

test('every link of a document leads to a page and a heading', () => {
  expect(documents.length).toBeGreaterThan(20);
  expect(documents.flatMap((path) => deadLinks(path, read(path)))).toEqual([]);
});

test('every source file that a document names is there', () => {
  expect(documents.flatMap((path) => missingSources(path, read(path)))).toEqual([]);
});

test('README is at most 90 lines long', () => {
  expect(read('README.md').split('\n').length - 1).toBeLessThanOrEqual(90);
});

test('control: a dead link, a missing heading and a missing file are found', () => {
  const text = 'See [a](no-such.md), [b](#no-such), [c](README.md) and `agent/no-such.ts`.\n';
  expect(deadLinks('README.md', text)).toEqual(['README.md: ](no-such.md)', 'README.md: ](#no-such)']);
  expect(missingSources('README.md', text)).toEqual(['README.md: agent/no-such.ts']);
});
