import { parseSource } from '../../agent/capture/source.ts';
import { SOURCE_HELP } from '../../cli/camera/making-commands.ts';
import { orielCommand } from '../../cli/oriel.ts';

const camera = orielCommand().commands.find((command) => command.name() === 'camera');

test('[FC-74] every command that takes a source says which there are, in the same words', () => {
  const taking =
    camera?.commands.filter(({ options }) => options.some(({ long }) => long === '--source')) ?? [];
  expect(taking.map((command) => command.name())).toEqual(['setup', 'source', 'init']);
  for (const command of taking) {
    const written: string[] = [];
    command.configureOutput({ writeOut: (text) => written.push(text) }).outputHelp();
    expect(written.join('')).toContain(SOURCE_HELP);
  }
});

test('[FC-74] its examples are taken', () => {
  const examples = [...SOURCE_HELP.matchAll(/--source '([^']+)'(?: --lan (\S+))?/g)];
  expect(examples).toHaveLength(4);
  for (const [, uri = '', lan] of examples)
    expect(parseSource(uri, lan === undefined ? [] : [lan])).toBeDefined();
});
