import { Command, Option } from 'commander';
import { complete } from '../../cli/completion/complete.ts';
import { orielCommand } from '../../cli/oriel.ts';

/** What words can go on as, by a program made for this, and by ours. */

const leaf = new Command('leaf')
  .argument('<dir>')
  .argument('[file]')
  .option('-q, --quiet', 'say nothing')
  .option('--out <file>', 'where to')
  .addOption(new Option('--how <way>', 'how').choices(['fast', 'well']))
  .addOption(new Option('--secret <dir>', 'for machines').hideHelp());
const program = new Command('made')
  .addCommand(new Command('group').description('many').addCommand(leaf))
  .addCommand(new Command('hidden').argument('<dir>'), { hidden: true })
  .addCommand(new Command('many').argument('<files...>'));

const valuesOf = (words: readonly string[]) => complete(program, words).values.map(({ value }) => value);

test.each<[string, string[], string[]]>([
  ['commands, without those that are hidden', [''], ['group', 'many']],
  ['commands by their beginning', ['m'], ['many']],
  ['commands of a group', ['group', ''], ['leaf']],
  ['nothing after a command that is none', ['grou', ''], []],
  ['options, without those that are hidden', ['group', 'leaf', '-'], ['--quiet', '--out', '--how', '--help']],
  ['options after arguments', ['group', 'leaf', 'x', '--o'], ['--out']],
  ['choices of an option', ['group', 'leaf', '--how', ''], ['fast', 'well']],
  ['choices of an option after =', ['group', 'leaf', '--how=w'], ['well']],
  ['nothing after = of an option that is none', ['group', 'leaf', '--what='], []],
])('%s', (_what, words, values) => {
  expect(valuesOf(words)).toEqual(values);
  expect(complete(program, words).paths).toBe('none');
});

test.each<[string[], string]>([
  [['group', 'leaf', ''], 'directories'],
  [['group', 'leaf', 'x', ''], 'files'],
  [['group', 'leaf', 'x', 'y', ''], 'none'],
  [['group', 'leaf', '--out', ''], 'files'],
  [['group', 'leaf', '--out=', ''], 'directories'],
  [['group', 'leaf', '--out', 'x', ''], 'directories'],
  [['group', 'leaf', '--quiet', ''], 'directories'],
  [['group', 'leaf', '--', '--o'], 'directories'],
  [['many', 'x', 'y', ''], 'files'],
  [[''], 'none'],
])('%j goes on as %s', (words, paths) => {
  expect(complete(program, words)).toEqual(expect.objectContaining({ paths }));
});

test('options have their descriptions, commands too', () => {
  expect(complete(program, ['g']).values).toEqual([{ value: 'group', description: 'many' }]);
  expect(complete(program, ['group', 'leaf', '--q']).values).toEqual([
    { value: '--quiet', description: 'say nothing' },
  ]);
});

test('no description of ours has what would end a line of the reply', () => {
  const descriptions = (command: Command): string[] => [
    command.description(),
    ...command.options.map(({ description }) => description),
    ...command.commands.flatMap(descriptions),
  ];
  expect(descriptions(orielCommand()).filter((text) => /[\n\t]/.test(text))).toEqual([]);
});
