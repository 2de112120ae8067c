import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { orielCommand } from '../../cli/oriel.ts';
import { leavesOf, pathOf, withTables } from '../../scripts/command-reference.ts';

/** What holds for all commands. */

const page = readFileSync(resolve(import.meta.dirname, '../../docs/reference/command-line.md'), 'utf8');
const program = orielCommand();
const leaves = leavesOf(program).map((command): [string, Command] => [pathOf(command), command]);
const options = leaves.flatMap(([, command]) => command.options);

/** Everything that `--help` prints. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
  });
  command.outputHelp();
  return text;
}

test.each(leaves)('%s shows by an example how it is used', (path, command) => {
  // The group's own example counts for a command that is in it.
  expect(helpOf(command)).toMatch(new RegExp(`^ +([^a-z]+|sudo |source <\\(\\./)?${path} `, 'm'));
});

test.each(leaves)('%s demands no verb as an argument', (_path, command) => {
  expect(command.registeredArguments.map((argument) => argument.name())).not.toContain('verb');
});

test('an option has one spelling on all commands', () => {
  const spellings = new Map<string, Set<string>>();
  for (const { long, flags } of options) {
    spellings.set(long ?? '', (spellings.get(long ?? '') ?? new Set()).add(flags));
  }
  expect([...spellings.values()].filter(({ size }) => size > 1).map((each) => [...each])).toEqual([]);
});

test('what lists or shows prints JSON too', () => {
  const shown = leaves.filter(([, command]) => /^(list|show|check)\b/.test(command.description()));
  expect(shown.length).toBeGreaterThan(12);
  const without = shown.filter(([, command]) => !command.options.some(({ long }) => long === '--json'));
  // It prints nftables rules, for nft.
  expect(without.map(([path]) => path)).toEqual(['oriel camera firewall']);
});

test('the page has the tables that follow from the definitions: scripts/command-reference --write', () => {
  expect(withTables(page, program)).toBe(page);
});

test('the page explains each option that commands of several groups have, as they spell it', () => {
  const groups = new Map<string, Set<string>>();
  for (const [path, command] of leaves) {
    for (const { flags, hidden } of command.options) {
      if (!hidden) groups.set(flags, (groups.get(flags) ?? new Set()).add(path.split(' ')[1] ?? ''));
    }
  }
  const shared = [...groups].filter(([, { size }]) => size > 1).map(([flags]) => flags);
  const table = /## Options[\s\S]*?\n## /.exec(page)?.[0] ?? '';
  const explained = [...table.matchAll(/`(--[^`]+)`(?=.* \|)/g)].map(([, flags]) => flags);
  expect(shared.filter((flags) => !explained.includes(flags))).toEqual([]);
  expect(explained.filter((flags) => !groups.has(flags ?? ''))).toEqual([]);
});

test('the help of oriel fits a screen of 30 lines with 80 columns', () => {
  const lines = helpOf(program).split('\n');
  expect(lines.length).toBeLessThanOrEqual(30);
  expect(lines.filter(({ length }) => length > 80)).toEqual([]);
});
