import { Argument, type Command, type Option } from 'commander';

/** What a word of a command line can go on as, from the definitions of the commands. Pure. */

export interface Completions {
  readonly values: readonly Completion[];
  /** What the shell completes by itself besides. */
  readonly paths: Paths;
}

export interface Completion {
  readonly value: string;
  readonly description: string;
}

export type Paths = 'none' | 'files' | 'directories';

/** What value names of options and arguments stand for; all others are for people to fill in. */
const PATHS: Readonly<Record<string, Paths>> = {
  file: 'files',
  files: 'files',
  bundle: 'directories',
  'camera-dir': 'directories',
  dir: 'directories',
  'dir-or-url': 'directories',
  installation: 'directories',
  kit: 'directories',
  public: 'directories',
  repository: 'directories',
};

/**
 * @param words all words after the program's name, as they are typed; the last is the one to complete, empty where
 * none has begun. Of `--option=value` only the value is completed.
 */
export function complete(program: Command, words: readonly string[]): Completions {
  const place = placeOf(program, words.slice(0, -1));
  const word = words.at(-1) ?? '';
  if (place === undefined) return NOTHING;
  const { command, optionAhead, isOver } = place;
  if (optionAhead !== undefined) return valuesOf(optionAhead, word);
  if (word.startsWith('-') && !isOver) return completeOption(command, word);
  if (command.commands.length > 0) return startingWith(word, commandsOf(command));
  const argument = argumentAt(place);
  return argument === undefined ? NOTHING : valuesOf(argument, word);
}

function completeOption(command: Command, word: string): Completions {
  const [flag = '', value] = word.split(/=(.*)/s);
  if (value === undefined) return startingWith(word, optionsOf(command));
  const option = optionOf(command, flag);
  return option === undefined ? NOTHING : valuesOf(option, value);
}

function argumentAt({ command, argument }: Place): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[argument] ?? (last?.variadic ? last : undefined);
}

const NOTHING: Completions = { values: [], paths: 'none' };

interface Place {
  readonly command: Command;
  /** Which of its arguments comes next. */
  readonly argument: number;
  /** An option that waits for its value. */
  readonly optionAhead: Option | undefined;
  /** Whether `--` has ended the options. */
  readonly isOver: boolean;
}

/** Where the words lead; undefined where they name a command that is none. */
function placeOf(program: Command, words: readonly string[]): Place | undefined {
  let place: Place = { command: program, argument: 0, optionAhead: undefined, isOver: false };
  for (const word of words) {
    const next = after(place, word);
    if (next === undefined) return undefined;
    place = next;
  }
  return place;
}

function after(place: Place, word: string): Place | undefined {
  const { command, argument, optionAhead, isOver } = place;
  if (optionAhead !== undefined) return { ...place, optionAhead: undefined };
  if (!isOver && word === '--') return { ...place, isOver: true };
  if (!isOver && /^-./.test(word)) {
    const option = word.includes('=') ? undefined : optionOf(command, word);
    return { ...place, optionAhead: option?.required ? option : undefined };
  }
  if (command.commands.length === 0) return { ...place, argument: argument + 1 };
  const child = command.commands.find((each) => each.name() === word);
  return child === undefined ? undefined : { ...place, command: child, argument: 0 };
}

const optionOf = (command: Command, flag: string): Option | undefined =>
  command.options.find(({ long, short }) => flag === long || flag === short);

/** What the value of an option, or an argument, can be. */
function valuesOf(of: Option | Argument, word: string): Completions {
  if (of.argChoices !== undefined) {
    return startingWith(
      word,
      of.argChoices.map((value) => ({ value, description: '' })),
    );
  }
  const name = of instanceof Argument ? of.name() : (/[<[](.+)[>\]]/.exec(of.flags)?.[1] ?? '');
  return { values: [], paths: PATHS[name] ?? 'none' };
}

function commandsOf(command: Command): Completion[] {
  const shown = command.createHelp().visibleCommands(command);
  return command.commands
    .filter((each) => shown.includes(each))
    .map((each) => ({ value: each.name(), description: each.description() }));
}

function optionsOf(command: Command): Completion[] {
  const shown = command.createHelp().visibleOptions(command);
  return shown.map(({ long, flags, description }) => ({ value: long ?? flags, description }));
}

const startingWith = (word: string, all: readonly Completion[]): Completions => ({
  values: all.filter(({ value }) => value.startsWith(word)),
  paths: 'none',
});
