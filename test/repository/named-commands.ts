import type { Command } from 'commander';

/** Commands of `oriel` that a text names, and whether they are there: path, choices and options. */

/** Each `oriel …` of a text, up to the end of what can belong to it. */
export function commandsNamedIn(text: string): string[] {
  const plain = text
    .replace(/\$\{[^{}]*\}/g, 'VALUE')
    .replace(/"[^"\n]*"/g, (quoted) => (quoted.includes('oriel ') ? quoted : 'VALUE'))
    .replace(/ \\+\n\s*/g, ' ');
  const named = plain.matchAll(/(?<![\w/-])oriel ([a-z](?:(?!(?<![\w/-])oriel )[^\n`'"(),;|])*)/g);
  return [...named].map(([, words = '']) => (words.split(/\.(?:\s|$)|: |:$| {2}|\*|\\/)[0] as string).trim());
}

/**
 * What is wrong with a command line: a command, option or choice that is not there; or, in one that gives arguments (in
 * capitals, or as paths), one that the command cannot do without. Undefined if nothing is.
 * @param isAdvice whether the line is to be run as it stands; prose may name a command alone.
 */
export function faultOf(program: Command, line: string, isAdvice = true): string | undefined {
  const words = line.replace(/[[\]]/g, '').split(/\s+/);
  let command = program;
  while (command.commands.length > 0 && words.length > 0 && !/^(COMMAND|…)$/.test(words[0] as string)) {
    const word = words.shift() as string;
    const found = command.commands.find((each) => each.name() === word);
    if (found === undefined) return `no ${word}: oriel ${line}`;
    command = found;
  }
  const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split('=')[0] as string);
  const known = new Set(['--help', ...command.options.map(({ long }) => long)]);
  const unknown = flags.find((flag) => !known.has(flag));
  if (unknown !== undefined) return `no ${unknown}: oriel ${line}`;
  const isWhole = isAdvice && /^[A-Z./]/.test(words[0] ?? '') && command.commands.length === 0;
  return isWhole ? lackOf(command, words, flags, line) : undefined;
}

function lackOf(
  command: Command,
  words: readonly string[],
  flags: readonly string[],
  line: string,
): string | undefined {
  const option = command.options.find(({ mandatory, long }) => mandatory && !flags.includes(long ?? ''));
  if (option !== undefined && !line.includes('…')) return `needs ${option.long}: oriel ${line}`;
  const given = words.filter((word, index) => {
    const before = command.options.find(({ long }) => long === words[index - 1]);
    return !word.startsWith('--') && !before?.required;
  });
  for (const [at, { argChoices }] of command.registeredArguments.entries()) {
    const word = given[at];
    if (word !== undefined && argChoices?.includes(word) === false && !/^[A-Z]+$/.test(word))
      return `no ${word}: oriel ${line}`;
  }
  const needed = command.registeredArguments.filter(({ required }) => required);
  if (given.length < needed.length) return `needs ${needed[given.length]?.name()}: oriel ${line}`;
  return undefined;
}
