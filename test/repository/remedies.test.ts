import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { orielCommand } from '../../cli/oriel.ts';
import { SOURCE_ROOMS } from '../../scripts/rooms/source-rooms.ts';
import { commandsNamedIn, faultOf } from './named-commands.ts';
import { root } from './named-tests.ts';
import { WITHOUT_REMEDY } from './remedy-table.ts';

/** What a person is told to do can be done: every command that is named is there, and can be run as it is written. */

const sources = SOURCE_ROOMS.filter((room) => room !== 'media').flatMap((room) => filesIn(room, '.ts'));
const textOf = (path: string) => readFileSync(resolve(root, path), 'utf8');
const program = orielCommand();

function filesIn(directory: string, ending: string): string[] {
  return readdirSync(resolve(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(directory, name));
}

function faultsIn(path: string, text: string, isAdvice: boolean): string[] {
  return commandsNamedIn(text)
    .map((line) => faultOf(program, line, isAdvice))
    .filter((fault) => fault !== undefined)
    .map((fault) => `${path}: ${fault}`);
}

test('every command that an error, a remedy or a help text names is there, and whole where it gives arguments', () => {
  expect(sources.flatMap((path) => commandsNamedIn(textOf(path))).length).toBeGreaterThan(200);
  expect(sources.flatMap((path) => faultsIn(path, textOf(path), true))).toEqual([]);
});

test('every command that a document names is there, with its options', () => {
  const documents = filesIn('docs', '.md');
  expect(documents.flatMap((path) => faultsIn(path, textOf(path), false))).toEqual([]);
});

test.each([
  ['see: oriel camera mend', 'no mend: oriel camera mend'],
  ['`oriel viewer`', 'no viewer: oriel viewer'],
  ['(oriel server run --quota)', 'no --quota: oriel server run --quota'],
  ['oriel server camera let-in DIR ID', 'no let-in: oriel server camera let-in DIR ID'],
  ['oriel server camera admit DIR', 'needs camera: oriel server camera admit DIR'],
  ['oriel server camera ask DIR ID film', 'no film: oriel server camera ask DIR ID film'],
  ['sign: oriel keys policy; oriel camera reset DIR', 'needs --yes: oriel camera reset DIR'],
  ['oriel server policy put DIR --camera ID', 'needs file: oriel server policy put DIR --camera ID'],
])('control: in "%s" it finds the fault', (text, fault) => {
  expect(faultsIn('x', text, true)).toEqual([`x: ${fault}`]);
});

/** Codes of the closed unions that a source exports, and of the concerns that it shows. */
function codesIn(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '');
  const unions = code.matchAll(/export (?:type|const) \w+ =\s*\[?((?:\s*\|?\s*'[A-Z][A-Z0-9_]{3,}'\s*,?)+)/g);
  const shown = [...code.matchAll(/\b(?:red|yellow)\(\s*('[A-Z_]+')/g)].map(([, each]) => each);
  const all = [...[...unions].map(([, union]) => union), ...shown].join();
  return [...all.matchAll(/'([A-Z0-9_]+)'/g)].map(([, each]) => each as string);
}

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'];
const codes = new Set(
  [...sources, ...filesIn('media', '.ts')]
    .flatMap((path) => codesIn(textOf(path)))
    .filter((code) => !SIGNALS.includes(code)),
);
const walked = new Set(
  filesIn('test', '.test.ts').flatMap((path) =>
    [...textOf(path).matchAll(/\bREM-([A-Z][A-Z_]+)/g)].map(([, code]) => code as string),
  ),
);
const excused = Object.values(WITHOUT_REMEDY).flat();

test('every code has a test that walks its remedy, or stands in the table with why not', () => {
  expect(codes.size).toBeGreaterThan(250);
  const without = [...codes].filter((code) => !walked.has(code) && !excused.includes(code));
  expect(without).toEqual([]);
});

test('the table and the titles name no code that is not there, and none twice', () => {
  expect([...walked, ...excused].filter((code) => !codes.has(code))).toEqual([]);
  expect(excused.filter((code, at) => walked.has(code) || excused.indexOf(code) !== at)).toEqual([]);
});

test('control: a code of a new union, and of a new concern, is found', () => {
  const union = "export type NewCode =\n  /** One. */\n  | 'ONE_CODE'\n  | 'ANOTHER';\n";
  expect(codesIn(`${union} return [yellow('NEW_CONCERN', text)];`)).toEqual([
    'ONE_CODE',
    'ANOTHER',
    'NEW_CONCERN',
  ]);
});
