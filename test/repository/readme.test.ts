import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(resolve(root, 'README.md'), 'utf8');

/** The lines of README's ```sh blocks that run something of ours, without a leading `$ ` or `sudo `. */
const commands = [...readme.matchAll(/^```sh\n(.*?)^```/gms)]
  .flatMap(([, block = '']) => block.split('\n'))
  .map((line) =>
    line
      .trim()
      .replace(/^\$ /, '')
      .replace(/^sudo /, ''),
  )
  .filter((line) => /^(\.\/)?(scripts\/|oriel\b)/.test(line));

const scripts = [
  ...new Set(commands.flatMap((line) => line.match(/^(?:\.\/)?(scripts\/[\w-]+)/)?.[1] ?? [])),
];
const options = commands.flatMap((line) => {
  const script = line.match(/^(?:\.\/)?(scripts\/[\w-]+)/)?.[1];
  const flags = line.replace(/\s#.*/, '').match(/--[a-z][a-z-]*/g) ?? [];
  return script === undefined ? [] : flags.map((flag) => ({ script, flag }));
});
/** The words after `./oriel` up to the first option or argument: `oriel camera run --x` is `camera run`. */
const verbs = [
  ...new Set(
    commands.flatMap((line) => {
      const words = line.match(/^(?:\.\/)?oriel((?: [a-z]+)*)(?= |$)/)?.[1];
      return words === undefined ? [] : [words.trim()];
    }),
  ),
].map((words) => ({
  words: words
    .split(' ')
    .filter((word) => word !== '')
    .slice(0, 2),
}));

function help(command: string, ...words: string[]) {
  return spawnSync(resolve(root, command), [...words, '--help'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('README shows how to set up, test and run', () => {
  expect(scripts).toEqual(expect.arrayContaining(['scripts/demo', 'scripts/test']));
});

test.each(scripts)('%s exists and explains itself', (script) => {
  expect(existsSync(resolve(root, script))).toBe(true);
  const { status, stdout } = help(script);
  expect(status).toBe(0);
  expect(stdout).toMatch(/usage/i);
});

test.each(options)('$script knows $flag', ({ script, flag }) => {
  expect(help(script).stdout).toContain(flag);
});

if (verbs.length > 0) {
  test.each(verbs)('oriel $words is a command and explains itself', ({ words }) => {
    const { status, stdout } = help('oriel', ...words);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: oriel${words.map((word) => ` ${word}`).join('')}`);
  });
}
