import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { EXIT, EXIT_MEANINGS } from '../cli/exit-codes.ts';
import { orielCommand } from '../cli/oriel.ts';

const PAGE = resolve(import.meta.dirname, '../docs/reference/command-line.md');
const USAGE = `usage: scripts/command-reference [--write]

Says whether the tables of docs/reference/command-line.md differ from the definitions in cli/, and fails if they do;
--write makes them anew.`;

/** Every command that has no subcommands, and that people see. */
export function leavesOf(command: Command): Command[] {
  const shown = command.createHelp().visibleCommands(command);
  const children = command.commands.filter((each) => shown.includes(each));
  return children.length === 0 ? [command] : children.flatMap(leavesOf);
}

/** `oriel server camera list`. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function usageOf(command: Command): string {
  const values = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`.toUpperCase();
    return argument.required ? name : `[${name}]`;
  });
  const demanded = command.options
    .filter(({ mandatory }) => mandatory)
    .map(({ flags }) => placeholdersOf(flags));
  return [pathOf(command), ...values, ...demanded].join(' ');
}

/** `--out <file>` as `--out FILE`. */
const placeholdersOf = (flags: string) => flags.replace(/<(.+)>/, (_, name: string) => name.toUpperCase());

const commandTable = (program: Command) => [
  '| command | what it does |',
  '| --- | --- |',
  ...leavesOf(program).map((command) => `| \`${usageOf(command)}\` | ${command.description()} |`),
];

const exitTable = () => [
  '| code | meaning |',
  '| --- | --- |',
  ...Object.entries(EXIT).map(([name, code]) => `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`),
];

/** The page with its tables made anew: each stands between a comment that names it and the next empty line. */
export function withTables(page: string, program: Command): string {
  const tables = { commands: commandTable(program), 'exit codes': exitTable() };
  return Object.entries(tables).reduce((text, [name, lines]) => {
    const place = new RegExp(`(<!-- ${name} -->\n\n)(?:\\|.*\n)*`);
    if (!place.test(text)) throw new Error(`the page has no place for ${name}`);
    return text.replace(place, (_, mark: string) => `${mark}${lines.join('\n')}\n`);
  }, page);
}

function main(args: readonly string[]): number {
  const [option, ...others] = args;
  if (others.length > 0 || (option !== undefined && option !== '--write')) {
    const isHelp = args.length === 1 && (option === '--help' || option === '-h');
    (isHelp ? console.log : console.error)(USAGE);
    return isHelp ? 0 : 2;
  }
  const page = readFileSync(PAGE, 'utf8');
  const fresh = withTables(page, orielCommand());
  if (option === '--write') writeFileSync(PAGE, fresh);
  else if (fresh !== page) {
    console.error('docs/reference/command-line.md differs: scripts/command-reference --write');
    return 1;
  }
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
